//! Who may call what: one table per service, read by the gRPC stack before the handler runs.

use std::collections::HashMap;

use prost::Message as _;

use crate::caller::{Caller, Role};

/// Who may call a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allow {
    /// Everyone, with or without a token. A token that is sent must be valid all the same.
    Anyone,
    /// Every valid token.
    Signed,
    /// Valid tokens of these roles.
    Roles(&'static [Role]),
}

/// The table of one gRPC service. A method that is not listed can't be called.
#[derive(Clone, Copy, Debug)]
pub struct Permissions {
    service: &'static str,
    methods: &'static [(&'static str, Allow)],
}

impl Permissions {
    /// The table of `service` (its full name), by method.
    pub const fn new(service: &'static str, methods: &'static [(&'static str, Allow)]) -> Self {
        Self { service, methods }
    }

    /// The full name of the service.
    pub fn service(&self) -> &'static str {
        self.service
    }

    /// The differences between this table and the service's contract in an encoded descriptor set: methods of one that the
    /// other lacks. For a test in each service.
    ///
    /// # Errors
    ///
    /// The descriptors can't be read or don't hold the service.
    pub fn differences(&self, descriptors: &[u8]) -> anyhow::Result<Vec<String>> {
        let set = prost_types::FileDescriptorSet::decode(descriptors)?;
        let methods = set
            .file
            .iter()
            .flat_map(|file| file.service.iter().map(move |service| (file.package(), service)))
            .find(|(package, service)| format!("{package}.{}", service.name()) == self.service)
            .map(|(_, service)| {
                service.method.iter().map(|method| method.name().to_owned()).collect::<Vec<_>>()
            })
            .ok_or_else(|| anyhow::anyhow!("no service {}", self.service))?;
        let listed: Vec<&str> = self.methods.iter().map(|(name, _)| *name).collect();
        let unlisted = methods.iter().filter(|name| !listed.contains(&name.as_str())).cloned();
        let unknown = listed
            .iter()
            .filter(|name| !methods.iter().any(|method| method == *name))
            .map(|name| (*name).to_owned());
        Ok(unlisted.chain(unknown).collect())
    }
}

/// The tables of a process, by path.
#[derive(Clone, Debug)]
pub(crate) struct PermissionMap(HashMap<String, Allow>);

/// Why a call is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// Nobody knows who is calling.
    NoToken,
    /// This caller may not.
    Role,
    /// Nobody may: there is no such method.
    Unknown,
}

impl PermissionMap {
    pub(crate) fn new(tables: &[Permissions]) -> Self {
        let paths = tables.iter().flat_map(|table| {
            table.methods.iter().map(|(method, allow)| (format!("/{}/{method}", table.service), *allow))
        });
        Self(paths.collect())
    }

    /// Whether a table lists `path`.
    pub(crate) fn knows(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// Decides over a call of `path`. Health checks and reflection are open: they tell nothing that the contracts don't.
    pub(crate) fn check(&self, path: &str, caller: Option<&Caller>) -> Result<(), Denied> {
        if path.starts_with("/grpc.health.v1.") || path.starts_with("/grpc.reflection.") {
            return Ok(());
        }
        match (self.0.get(path), caller) {
            (None, _) => Err(Denied::Unknown),
            (Some(Allow::Anyone), _) | (Some(Allow::Signed), Some(_)) => Ok(()),
            (Some(Allow::Roles(roles)), Some(caller)) if roles.contains(&caller.role) => Ok(()),
            (Some(Allow::Roles(_)), Some(_)) => Err(Denied::Role),
            (Some(Allow::Signed | Allow::Roles(_)), None) => Err(Denied::NoToken),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;

    const TABLE: Permissions = Permissions::new(
        "x.v1.Things",
        &[("Get", Allow::Anyone), ("Me", Allow::Signed), ("Put", Allow::Roles(&[Role::Seller]))],
    );

    fn caller(role: Role) -> Caller {
        Caller {
            user_id: Uuid::nil(),
            company_id: Uuid::nil(),
            session_id: Uuid::nil(),
            role,
            email: String::new(),
            name: String::new(),
            expires_at: Timestamp::MAX,
        }
    }

    #[test]
    fn a_table_decides_by_role_and_denies_what_it_does_not_list() {
        let map = PermissionMap::new(&[TABLE]);
        let (buyer, seller) = (caller(Role::Buyer), caller(Role::Seller));
        let check = |method: &str, caller| map.check(&format!("/x.v1.Things/{method}"), caller);
        assert_eq!(check("Get", None), Ok(()));
        assert_eq!(check("Me", None), Err(Denied::NoToken));
        assert_eq!(check("Me", Some(&buyer)), Ok(()));
        assert_eq!(check("Put", Some(&buyer)), Err(Denied::Role));
        assert_eq!(check("Put", Some(&seller)), Ok(()));
        assert_eq!(check("Drop", Some(&seller)), Err(Denied::Unknown));
    }
}
