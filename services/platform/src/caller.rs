//! Who is calling, once the token has been checked.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use tonic::{Request, Status};
use uuid::Uuid;

use crate::{Access, Scope, Session};

/// What a user may do. The claim `role` holds the lower-case name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Orders for the company.
    Buyer,
    /// Orders, and approves orders of buyers.
    Approver,
    /// All of these, and manages the company's users.
    CompanyAdmin,
    /// The seller's staff.
    Seller,
}

impl Role {
    /// Everyone who acts for a buying company.
    pub const COMPANY: &'static [Self] = &[Self::Buyer, Self::Approver, Self::CompanyAdmin];

    /// The name in tokens and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Buyer => "buyer",
            Self::Approver => "approver",
            Self::CompanyAdmin => "company_admin",
            Self::Seller => "seller",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a role")]
pub struct NotARole;

impl FromStr for Role {
    type Err = NotARole;

    fn from_str(text: &str) -> Result<Self, NotARole> {
        [Self::Buyer, Self::Approver, Self::CompanyAdmin, Self::Seller]
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or(NotARole)
    }
}

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user_id: Uuid,
    /// The company that the user acts for.
    pub company_id: Uuid,
    /// The session that the token belongs to.
    pub session_id: Uuid,
    /// What the user may do.
    pub role: Role,
    /// Where the user reads mail.
    pub email: String,
    /// What the user is called.
    pub name: String,
    /// When the token stops working.
    pub expires_at: Timestamp,
}

impl Caller {
    /// The caller of `request`.
    ///
    /// # Errors
    ///
    /// UNAUTHENTICATED if the call came without a token. The stack refuses such calls already, except where the permission
    /// table lets everyone in.
    pub fn of<T>(request: &Request<T>) -> Result<Self, Status> {
        request
            .extensions()
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Status::unauthenticated("a token is needed"))
    }

    /// What this caller's role reaches: everything for the seller's staff, the own company for everybody else.
    pub fn scope(&self) -> Scope {
        match self.role {
            Role::Seller => Scope::Seller,
            Role::Buyer | Role::Approver | Role::CompanyAdmin => Scope::Company(self.company_id),
        }
    }
}

impl Access {
    /// What the caller of `request` may reach, and how fresh it must be. Without a token: nothing that has an owner.
    pub fn of<T>(request: &Request<T>) -> Self {
        let scope = request.extensions().get::<Caller>().map_or(Scope::Public, Caller::scope);
        Self::new(scope, session_of(request))
    }

    /// As [`Access::of`], but never beyond the caller's own company, whatever the role.
    ///
    /// # Errors
    ///
    /// UNAUTHENTICATED if the call came without a token.
    pub fn to_own_company<T>(request: &Request<T>) -> Result<Self, Status> {
        let caller = Caller::of(request)?;
        Ok(Self::new(Scope::Company(caller.company_id), session_of(request)))
    }
}

fn session_of<T>(request: &Request<T>) -> Session {
    request.extensions().get::<Session>().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_reads_back_from_its_name_and_nothing_else_does() {
        for role in [Role::Buyer, Role::Approver, Role::CompanyAdmin, Role::Seller] {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        assert_eq!("Seller".parse::<Role>(), Err(NotARole));
    }

    #[test]
    fn a_call_without_a_token_reaches_nothing_that_has_an_owner() {
        let request = Request::new(());
        assert_eq!(Access::of(&request).scope, Scope::Public);
        assert!(Access::to_own_company(&request).is_err() && Caller::of(&request).is_err());
    }
}
