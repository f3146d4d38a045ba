//! Devices that an account was logged in to from.
//!
//! Whoever has got in from a device before is no stranger there: its tries count by themselves, and what others try at the account, from
//! the same address or from anywhere, doesn't keep its user out. These are the device cookies of OWASP ("Slow Down Online Guessing Attacks
//! with Device Cookies") in the form of a token that clients keep. It opens nothing: who steals it may guess as often as the device may
//! mistype. Nothing of it is stored; the text form is [`crate::macs`]'.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// How long a device is known after its last log-in.
pub const LIFE: SignedDuration = SignedDuration::from_hours(180 * 24);

/// What a device token says, beside whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// UUIDv7, given with the first log-in.
    pub id: Uuid,
    /// When the token was issued, in whole seconds.
    pub issued_at: Timestamp,
}

impl Device {
    /// The device `id`, logged in from at `now`.
    pub fn new(id: Uuid, now: Timestamp) -> Self {
        // A clock's time without its fraction is in the range of clocks.
        Self { id, issued_at: Timestamp::from_second(now.as_second()).unwrap_or(now) }
    }

    /// Whether the token still works at `now`. One from a pod whose clock is ahead does.
    pub fn is_known(&self, now: Timestamp) -> bool {
        now.duration_since(self.issued_at) < LIFE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_known_for_180_days_and_a_clock_that_is_ahead_makes_no_stranger() {
        let now: Timestamp = "2026-03-01T09:00:00.7Z".parse().unwrap();
        let device = Device::new(Uuid::nil(), now);
        assert_eq!(device.issued_at, "2026-03-01T09:00:00Z".parse().unwrap());
        assert!(device.is_known(device.issued_at + LIFE - SignedDuration::from_micros(1)));
        assert!(!device.is_known(device.issued_at + LIFE));
        assert!(device.is_known(now - SignedDuration::from_mins(1)));
    }
}
