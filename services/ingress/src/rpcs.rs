//! Every RPC of the contracts, and how the edge treats it.

use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto};

use crate::Error;

/// One RPC of the contracts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rpc {
    /// Second part of its package, which is also the backend that serves it: `orders`.
    pub area: String,
    /// Full name of its service: `sipup.orders.v1.OrderService`.
    pub service: String,
    /// Its own name: `CreateOrder`.
    pub method: String,
    /// How it may be sent.
    pub class: Class,
    /// Who may call it.
    pub access: Access,
}

/// How an RPC may be sent, read from its name and its streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Changes nothing (`Get`, `List`, `BatchGet`, `Search`): sent again when a backend is unavailable.
    Read,
    /// Changes something: sent again only if the first try certainly never reached a service.
    Write,
    /// A write of many things at once (`Batch…`): as [`Class::Write`], with room for a larger body.
    Bulk,
    /// Streams in some direction: never sent again, lives for up to an hour.
    Stream,
}

/// Who may call an RPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everyone; a token is not looked at.
    Anonymous,
    /// Everyone; a token that comes along must be valid.
    Optional,
    /// Who has a valid token.
    Required,
    /// Services only: has no route.
    Internal,
}

/// What begins or ends a session can't ask for the token of one.
const ANONYMOUS: [&str; 4] = [
    "/sipup.auth.v1.AuthService/Register",
    "/sipup.auth.v1.AuthService/Login",
    "/sipup.auth.v1.AuthService/Refresh",
    "/sipup.auth.v1.AuthService/Logout",
];
/// Areas whose reads are open to visitors.
const PUBLIC_READS: [&str; 1] = ["catalog"];
/// Areas that only services talk to.
const INTERNAL: [&str; 1] = ["ratelimit"];

const READ_VERBS: [&str; 4] = ["Get", "List", "BatchGet", "Search"];
const BULK_VERBS: [&str; 4] = ["BatchCreate", "BatchUpdate", "BatchDelete", "BatchAdjust"];
const WRITE_VERBS: [&str; 9] =
    ["Create", "Update", "Delete", "Cancel", "Ship", "Register", "Login", "Refresh", "Logout"];

impl Rpc {
    /// Path of the call: `/sipup.orders.v1.OrderService/CreateOrder`.
    pub fn path(&self) -> String {
        format!("/{}/{}", self.service, self.method)
    }
}

/// Every RPC of the contracts, internal ones included, in the order of the descriptor set.
///
/// # Errors
/// If the name of an RPC or of its package breaks the convention.
pub fn rpcs() -> Result<Vec<Rpc>, Error> {
    read(proto::SLIM_DESCRIPTORS)
}

fn read(descriptors: &[u8]) -> Result<Vec<Rpc>, Error> {
    let set = FileDescriptorSet::decode(descriptors)?;
    let mut found = Vec::new();
    for file in &set.file {
        for service in &file.service {
            let name = format!("{}.{}", file.package(), service.name());
            let area = area(file).ok_or_else(|| Error::Misplaced { service: name.clone() })?;
            for method in &service.method {
                found.push(classify(area, &name, method)?);
            }
        }
    }
    Ok(found)
}

/// `catalog` of `sipup.catalog.v1`.
fn area(file: &FileDescriptorProto) -> Option<&str> {
    let (area, version) = file.package().strip_prefix("sipup.")?.split_once('.')?;
    version.strip_prefix('v')?.parse::<u32>().ok()?;
    Some(area)
}

fn classify(area: &str, service: &str, method: &MethodDescriptorProto) -> Result<Rpc, Error> {
    let path = format!("/{service}/{}", method.name());
    let internal = INTERNAL.contains(&area);
    let class = match class(method) {
        Some(class) => class,
        // Without a route there is no retry to decide on.
        None if internal => Class::Write,
        None => return Err(Error::Unclassified { rpc: path }),
    };
    let access = if internal {
        Access::Internal
    } else if ANONYMOUS.contains(&path.as_str()) {
        Access::Anonymous
    } else if class == Class::Read && PUBLIC_READS.contains(&area) {
        Access::Optional
    } else {
        Access::Required
    };
    Ok(Rpc { area: area.into(), service: service.into(), method: method.name().into(), class, access })
}

fn class(method: &MethodDescriptorProto) -> Option<Class> {
    if method.client_streaming() || method.server_streaming() {
        return Some(Class::Stream);
    }
    let begins_with = |verbs: &[&str]| verbs.iter().any(|verb| has_verb(method.name(), verb));
    if begins_with(&READ_VERBS) {
        Some(Class::Read)
    } else if begins_with(&BULK_VERBS) {
        Some(Class::Bulk)
    } else if begins_with(&WRITE_VERBS) {
        Some(Class::Write)
    } else {
        None
    }
}

/// Whether a name is a verb, alone or with a noun behind it: `Get` and `GetOrder`, not `Getaway`.
fn has_verb(name: &str, verb: &str) -> bool {
    name.strip_prefix(verb).is_some_and(|noun| !noun.starts_with(|c: char| c.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests;
