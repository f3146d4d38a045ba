//! Between the messages of the contract and the types of this crate.

use jiff::Timestamp;
use platform::{Invalid, RequestKey, Role, Secret};
use proto::auth::v1 as pb;
use tonic::metadata::MetadataMap;

use crate::{
    company::Company,
    macs::Macs,
    name::Name,
    service::{Login, Tokens},
    user::{Credentials, Email, Password, Registration, User},
};

/// Longer than any refresh or device token; what is longer is not worth decoding.
const LONGEST_TOKEN: usize = 512;

impl TryFrom<pb::RegisterRequest> for Registration {
    type Error = Invalid;

    fn try_from(request: pb::RegisterRequest) -> Result<Self, Invalid> {
        let email = Email::parse(&request.email)?;
        let display_name = match request.display_name.as_str() {
            "" => Name::parse("display_name", email.local_part())?,
            given => Name::parse("display_name", given)?,
        };
        Ok(Self {
            company_name: Name::parse("company_name", &request.company_name)?,
            password: Password::choose(request.password)?,
            email,
            display_name,
        })
    }
}

impl TryFrom<pb::LoginRequest> for Credentials {
    type Error = Invalid;

    fn try_from(request: pb::LoginRequest) -> Result<Self, Invalid> {
        Ok(Self {
            email: Email::parse(&request.email)?,
            password: Password::present(request.password)?,
            device_token: device_token(request.device_token)?,
        })
    }
}

/// The key of a registration. What it keeps of the body is a plain hash, from which a password could be guessed far faster than
/// from the user's own: the password goes in blinded.
pub(crate) fn register_key(
    metadata: &MetadataMap,
    request: &pb::RegisterRequest,
    registration: &Registration,
    macs: &Macs,
) -> Result<Option<RequestKey>, Invalid> {
    let body = pb::RegisterRequest {
        password: macs.blind(&registration.password),
        request_id: String::new(),
        company_name: request.company_name.clone(),
        email: request.email.clone(),
        display_name: request.display_name.clone(),
    };
    RequestKey::of(metadata, &request.request_id, "Register", &body)
}

/// The refresh token of a request.
pub(crate) fn refresh_token(text: String) -> Result<Secret, Invalid> {
    if (1..=LONGEST_TOKEN).contains(&text.len()) {
        Ok(Secret::new(text))
    } else {
        Err(Invalid::new("refresh_token", "must be a refresh token"))
    }
}

/// The device token of a request, if there is one. Whether it is any good is not a matter of the field.
fn device_token(text: String) -> Result<Option<Secret>, Invalid> {
    if text.chars().count() > LONGEST_TOKEN {
        return Err(Invalid::new("device_token", "must be at most 512 characters"));
    }
    Ok((!text.is_empty()).then(|| Secret::new(text)))
}

/// The answer to a registration.
pub(crate) fn registered(company: &Company, user: &User) -> pb::RegisterResponse {
    pb::RegisterResponse { company: Some(company.into()), user: Some(user.into()) }
}

impl From<&Company> for pb::Company {
    fn from(company: &Company) -> Self {
        Self {
            id: company.id.to_string(),
            name: company.name.clone(),
            create_time: Some(timestamp(company.created_at)),
        }
    }
}

impl From<&User> for pb::User {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.to_string(),
            company_id: user.company_id.to_string(),
            email: user.email.clone(),
            display_name: user.display_name.clone(),
            role: role(user.role).into(),
            create_time: Some(timestamp(user.created_at)),
        }
    }
}

impl From<Login> for pb::LoginResponse {
    fn from(login: Login) -> Self {
        Self {
            tokens: Some(login.tokens.into()),
            user: Some((&login.user).into()),
            device_token: login.device_token.expose().to_owned(),
        }
    }
}

impl From<Tokens> for pb::TokenPair {
    fn from(tokens: Tokens) -> Self {
        Self {
            access_token: tokens.access.text.expose().to_owned(),
            access_token_expire_time: Some(timestamp(tokens.access.expires_at)),
            refresh_token: tokens.refresh.expose().to_owned(),
            refresh_token_expire_time: Some(timestamp(tokens.refresh_expires_at)),
        }
    }
}

fn role(role: Role) -> pb::Role {
    match role {
        Role::Buyer => pb::Role::Buyer,
        Role::Approver => pb::Role::Approver,
        Role::CompanyAdmin => pb::Role::CompanyAdmin,
        Role::Seller => pb::Role::Seller,
    }
}

fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    // The nanoseconds of protobuf never count backwards.
    let seconds = at.as_nanosecond().div_euclid(1_000_000_000);
    let nanos = at.as_nanosecond().rem_euclid(1_000_000_000);
    prost_types::Timestamp {
        seconds: i64::try_from(seconds).unwrap_or(i64::MAX),
        nanos: i32::try_from(nanos).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> pb::RegisterRequest {
        pb::RegisterRequest {
            company_name: "Nordwerk".into(),
            email: "anna@example.com".into(),
            password: "correct horse".into(),
            display_name: String::new(),
            request_id: "key-1".into(),
        }
    }

    fn key(request: &pb::RegisterRequest) -> RequestKey {
        let macs = Macs::new(&Secret::new("a secret for tests, long enough to be one")).unwrap();
        let registration = Registration::try_from(request.clone()).unwrap();
        register_key(&MetadataMap::new(), request, &registration, &macs).unwrap().unwrap()
    }

    #[test]
    fn a_user_without_a_name_is_called_by_the_address() {
        assert_eq!(Registration::try_from(request()).unwrap().display_name.as_str(), "anna");
    }

    #[test]
    fn the_field_that_is_wrong_is_named() {
        let wrong = |change: fn(&mut pb::RegisterRequest)| {
            let mut request = request();
            change(&mut request);
            Registration::try_from(request).unwrap_err().field
        };
        assert_eq!(wrong(|request| request.company_name.clear()), "company_name");
        assert_eq!(wrong(|request| request.email.clear()), "email");
        assert_eq!(wrong(|request| request.password.truncate(9)), "password");
        assert_eq!(wrong(|request| request.display_name = " ".into()), "display_name");
        assert!(refresh_token(String::new()).is_err() && refresh_token("x".repeat(513)).is_err());
        assert_eq!(device_token("ä".repeat(513)).unwrap_err().field, "device_token");
        assert!(
            device_token("ä".repeat(512)).unwrap().is_some()
                && device_token(String::new()).unwrap().is_none()
        );
    }

    #[test]
    fn the_key_of_a_registration_covers_the_password_but_does_not_hold_its_hash() {
        let one = key(&request());
        assert_eq!(key(&request()), one);
        assert_ne!(key(&pb::RegisterRequest { password: "another horse".into(), ..request() }), one);
        let plain = pb::RegisterRequest { request_id: String::new(), ..request() };
        let plain = RequestKey::of(&MetadataMap::new(), "key-1", "Register", &plain).unwrap().unwrap();
        assert_ne!(one.body_hash(), plain.body_hash());
    }

    #[test]
    fn a_time_before_1970_counts_its_nanoseconds_forward() {
        let at = Timestamp::from_microsecond(-1).unwrap();
        assert_eq!(timestamp(at), prost_types::Timestamp { seconds: -1, nanos: 999_999_000 });
    }
}
