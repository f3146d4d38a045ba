//! Users who wait for their next call.

use rand::{RngExt as _, rngs::StdRng};

use crate::user::User;

/// Those whose token the platform has not seen, apart from the others.
#[derive(Debug)]
pub(crate) struct Idle {
    /// The last one is the next.
    new: Vec<User>,
    known: Vec<User>,
}

impl Idle {
    pub(crate) fn new(users: Vec<User>) -> Self {
        let mut tokens = std::collections::HashSet::new();
        // Of those who share a token, the first shows it.
        let is_new = |user: &User| user.identity.is_unseen() && tokens.insert(user.identity.user_id.clone());
        let (mut new, known): (Vec<_>, Vec<_>) = users.into_iter().partition(is_new);
        new.reverse();
        Self { new, known }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.new.len() + self.known.len()
    }

    /// The next one to call: before measuring begins, those who are new go first, one after the other; then it is anybody.
    pub(crate) fn take(&mut self, is_lead_in: bool, random: &mut StdRng) -> Option<User> {
        if is_lead_in && let Some(user) = self.new.pop() {
            return Some(user);
        }
        if self.len() == 0 {
            return None;
        }
        let index = random.random_range(0..self.len());
        let known = self.known.len();
        Some(if index < known { self.known.swap_remove(index) } else { self.new.swap_remove(index - known) })
    }

    /// Users whose calls have ended.
    pub(crate) fn extend(&mut self, back: impl Iterator<Item = User>) {
        self.known.extend(back);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rand::SeedableRng as _;

    use super::*;
    use crate::{
        call::{Service, Transport},
        identity::somebody,
    };

    #[test]
    fn before_measuring_each_new_token_is_shown_once_and_then_it_is_anybody() {
        let identities = ["a", "b", "c"].map(|name| somebody(name, "c"));
        identities[1].shown_to(Service::Orders);
        let users = (0..).zip(identities.iter().cycle()).take(9);
        let users = users.map(|(number, identity)| User::new(number, Transport::Grpc, Arc::clone(identity)));
        let mut idle = Idle::new(users.collect());
        let mut random = StdRng::seed_from_u64(3);
        let mut take = |is_lead_in| idle.take(is_lead_in, &mut random).map(|user| user.number);
        assert_eq!((take(true), take(true)), (Some(0), Some(2)));
        let others: std::collections::BTreeSet<u32> = (0..7).filter_map(|_| take(true)).collect();
        assert_eq!(others.into_iter().collect::<Vec<_>>(), [1, 3, 4, 5, 6, 7, 8]);
        assert_eq!((take(true), take(false)), (None, None));
    }

    #[test]
    fn those_who_are_new_are_not_kept_from_calling_when_measuring_has_begun() {
        let user = |number| User::new(number, Transport::Grpc, somebody(&number.to_string(), "c"));
        let (mut idle, mut random) = (Idle::new((0..20).map(user).collect()), StdRng::seed_from_u64(3));
        idle.extend((20..40).map(user));
        let taken: Vec<u32> = (0..40).filter_map(|_| Some(idle.take(false, &mut random)?.number)).collect();
        assert_eq!((taken.len(), idle.len()), (40, 0));
        let new_in_first_half = taken[..20].iter().filter(|number| **number < 20).count();
        assert!((4..=16).contains(&new_in_first_half), "{taken:?}");
    }
}
