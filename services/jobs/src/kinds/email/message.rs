//! A message from its content: the same bytes each time, so that a repeat after a crash is recognizable.

use std::time::SystemTime;

use lettre::{
    Message,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{HeaderName, HeaderValue},
    },
};
use queue::JobContext;

/// What a message says, twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// Builds the message. Id and boundary come from the job's id, the date is that of its enqueueing.
pub(crate) fn build(
    from: &Mailbox,
    to: Mailbox,
    content: Content,
    job: &JobContext,
) -> Result<Message, lettre::error::Error> {
    // Tells mail programs not to answer that somebody is on holiday.
    let automatic =
        HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
    Message::builder()
        .from(from.clone())
        .to(to)
        .subject(one_line(&content.subject))
        .date(SystemTime::from(job.enqueued_at))
        .message_id(Some(format!("<{}@{}>", job.id, from.email.domain())))
        .raw_header(automatic)
        .multipart(
            MultiPart::alternative()
                .boundary(format!("part-{}", job.id.simple()))
                .singlepart(SinglePart::plain(content.text))
                .singlepart(SinglePart::html(content.html)),
        )
}

/// Text for a header or a line: runs of white space and control characters become one space.
pub(crate) fn one_line(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text for HTML, between tags and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;
    use uuid::Uuid;

    use super::*;

    fn job() -> JobContext {
        JobContext {
            id: "0198c0de-0000-7000-8000-000000000001".parse::<Uuid>().unwrap(),
            company_id: None,
            attempt: 1,
            max_attempts: 4,
            enqueued_at: "2026-01-05T10:00:00Z".parse().unwrap(),
            stopping: CancellationToken::new(),
        }
    }

    fn built(subject: &str) -> String {
        let content = Content {
            subject: subject.to_owned(),
            text: "Grüße".to_owned(),
            html: "<p>Grüße</p>".to_owned(),
        };
        let message = build(
            &"sipup <no-reply@sipup.test>".parse().unwrap(),
            "a@b.example".parse().unwrap(),
            content,
            &job(),
        );
        String::from_utf8(message.unwrap().formatted()).unwrap()
    }

    #[test]
    fn a_repeat_has_the_same_bytes_and_an_id_that_is_the_jobs() {
        assert_eq!(built("Order"), built("Order"));
        let message = built("Order");
        assert!(
            message.contains("Message-ID: <0198c0de-0000-7000-8000-000000000001@sipup.test>\r\n"),
            "{message}"
        );
        assert!(message.contains("Date: Mon, 05 Jan 2026 10:00:00 +0000\r\n"), "{message}");
    }

    #[test]
    fn a_subject_adds_no_header() {
        let message = built("Order\r\nBcc: c@d.example\r\n\r\nbody");
        let (headers, _) = message.split_once("\r\n\r\n").unwrap();
        assert!(headers.contains("Subject: Order Bcc: c@d.example body\r\n"), "{headers}");
        assert!(!headers.lines().any(|line| line.starts_with("Bcc")), "{headers}");
    }

    #[test]
    fn what_html_would_read_as_its_own_is_escaped() {
        assert_eq!(escape("<a href=\"x\">'&'</a>"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
    }
}
