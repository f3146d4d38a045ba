//! Whether a service saw a token for the first time: then it checks the signature, which it remembers afterwards.

use serde::{Deserialize, Serialize};

/// What a call's token was to the service that it went to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Seen before.
    Known,
    /// Seen by other services only.
    NewToService,
    /// Seen by nobody.
    New,
}

/// How many calls carried a token for the first time, as far as this tool sent them. A service of several processes sees a token for the
/// first time in each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstSights {
    /// Tokens that nobody had seen: users in their first call, or in the first one after their token was renewed.
    pub tokens: u64,
    /// Calls whose token their service had not seen; those above are among them.
    pub calls: u64,
}

impl FirstSights {
    /// This one, too.
    pub(crate) fn count(&mut self, sight: Sight) {
        self.tokens += u64::from(sight == Sight::New);
        self.calls += u64::from(sight != Sight::Known);
    }
}
