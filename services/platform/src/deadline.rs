//! The time that the current call has left, wherever in the call one stands.

use std::{future::Future, time::Duration};

use tokio::time::Instant;

tokio::task_local! {
    static DEADLINE: Instant;
}

/// Runs `call` with `deadline` known to everything inside it.
pub async fn scope<F: Future>(deadline: Instant, call: F) -> F::Output {
    DEADLINE.scope(deadline, call).await
}

/// What is left of the current call's time. None outside a call, for example in a background task.
pub fn remaining() -> Option<Duration> {
    DEADLINE.try_with(|deadline| deadline.saturating_duration_since(Instant::now())).ok()
}

/// The time that a `grpc-timeout` header grants: at most eight digits and a unit. None if there is no such header.
///
/// # Errors
///
/// The header is there and can't be read.
pub fn parse(headers: &http::HeaderMap) -> Result<Option<Duration>, crate::Invalid> {
    let Some(value) = headers.get("grpc-timeout") else { return Ok(None) };
    let refused =
        || crate::Invalid::new("grpc-timeout", "must be one to eight digits and a unit of H, M, S, m, u, n");
    let text = value.to_str().map_err(|_| refused())?;
    let (digits, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(refused)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refused());
    }
    let count: u64 = digits.parse().map_err(|_| refused())?;
    Ok(Some(match unit {
        "H" => Duration::from_secs(count * 3_600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return Err(refused()),
    }))
}

/// A `grpc-timeout` header's text for `left`, in milliseconds as far as they fit.
pub fn format(left: Duration) -> String {
    match left.as_millis() {
        millis @ 0..=99_999_999 => format!("{}m", millis.max(1)),
        _ => format!("{}S", left.as_secs().min(99_999_999)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> http::HeaderMap {
        [(http::HeaderName::from_static("grpc-timeout"), text.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn a_time_out_is_read_in_every_unit() {
        for (text, millis) in
            [("1H", 3_600_000), ("2M", 120_000), ("3S", 3_000), ("4m", 4), ("5000u", 5), ("6000000n", 6)]
        {
            assert_eq!(parse(&header(text)), Ok(Some(Duration::from_millis(millis))), "{text}");
        }
        assert_eq!(parse(&http::HeaderMap::new()), Ok(None));
    }

    #[test]
    fn what_is_no_time_out_is_refused() {
        for text in ["", "S", "1", "1s", "-1S", "+1S", "123456789S", "1.5S"] {
            assert!(parse(&header(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_sent_on_reads_back() {
        for left in [Duration::from_millis(1), Duration::from_mins(1), Duration::from_secs(1_000_000)] {
            assert_eq!(parse(&header(&format(left))), Ok(Some(left)));
        }
    }

    #[tokio::test]
    async fn what_is_left_is_known_inside_the_call_only() {
        assert_eq!(remaining(), None);
        let left = scope(Instant::now() + Duration::from_mins(1), async { remaining() }).await.unwrap();
        assert!(left <= Duration::from_mins(1));
    }
}
