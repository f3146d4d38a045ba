//! Every RPC of the contracts, and how the edge treats it.

use calls::Class;
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
    /// How it may be sent, and how long it may take.
    pub class: Class,
    /// Who may call it.
    pub access: Access,
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
/// Services whose reads are open to visitors.
const PUBLIC_READS: [&str; 1] = ["sipup.catalog.v1.CatalogService"];
/// Areas that only services talk to.
const INTERNAL: [&str; 1] = ["ratelimit"];

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
    let class = match Class::of(method) {
        Some(class) => class,
        // Without a route there is no retry to decide on.
        None if internal => Class::Write,
        None => return Err(Error::Unclassified { rpc: path }),
    };
    let access = if internal {
        Access::Internal
    } else if ANONYMOUS.contains(&path.as_str()) {
        Access::Anonymous
    } else if class == Class::Read && PUBLIC_READS.contains(&service) {
        Access::Optional
    } else {
        Access::Required
    };
    Ok(Rpc { area: area.into(), service: service.into(), method: method.name().into(), class, access })
}

#[cfg(test)]
mod tests;
