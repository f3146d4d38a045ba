//! The rpcs: parse, one call, convert.

use platform::{Access, Caller, Scope};
use proto::auth::v1 as pb;
use tonic::{Request, Response, Status, codec::CompressionEncoding};

use crate::{
    convert,
    error::Error,
    service::Auth,
    tries::Origin,
    user::{Credentials, Registration},
};

/// No request of this service needs more bytes.
const LARGEST_REQUEST: usize = 64 << 10;

/// The gRPC face of [`Auth`].
#[derive(Clone, Debug)]
pub struct Grpc(Auth);

impl Grpc {
    /// The rpcs of `auth`.
    pub fn new(auth: Auth) -> Self {
        Self(auth)
    }

    /// As a server that takes requests of at most `max_request_bytes`, or of 64 KiB if that is less.
    pub fn into_server(self, max_request_bytes: usize) -> pb::auth_service_server::AuthServiceServer<Self> {
        pb::auth_service_server::AuthServiceServer::new(self)
            .max_decoding_message_size(max_request_bytes.min(LARGEST_REQUEST))
            .accept_compressed(CompressionEncoding::Gzip)
            .send_compressed(CompressionEncoding::Gzip)
    }
}

/// Whoever registers or logs in is nobody yet: the service acts for itself.
fn as_system<T>(request: &Request<T>) -> Access {
    Access::new(Scope::System, Access::of(request).session)
}

#[tonic::async_trait]
impl pb::auth_service_server::AuthService for Grpc {
    async fn register(
        &self,
        request: Request<pb::RegisterRequest>,
    ) -> Result<Response<pb::RegisterResponse>, Status> {
        let access = as_system(&request);
        let registration = Registration::try_from(request.get_ref().clone()).map_err(Error::from)?;
        let key = convert::register_key(request.metadata(), request.get_ref(), &registration, &self.0.macs);
        let key = key.map_err(Error::from)?;
        self.0.register(&access, key.as_ref(), &registration).await?.respond(|response| response)
    }

    async fn login(&self, request: Request<pb::LoginRequest>) -> Result<Response<pb::LoginResponse>, Status> {
        let access = as_system(&request);
        let origin = Origin::of(&request);
        let credentials = Credentials::try_from(request.into_inner()).map_err(Error::from)?;
        Ok(Response::new(self.0.login(&access, origin, &credentials).await?.into()))
    }

    async fn refresh(
        &self,
        request: Request<pb::RefreshRequest>,
    ) -> Result<Response<pb::RefreshResponse>, Status> {
        let access = as_system(&request);
        let token = convert::refresh_token(request.into_inner().refresh_token).map_err(Error::from)?;
        let tokens = self.0.refresh(&access, &token).await?;
        Ok(Response::new(pb::RefreshResponse { tokens: Some(tokens.into()) }))
    }

    async fn logout(&self, request: Request<pb::LogoutRequest>) -> Result<Response<()>, Status> {
        let access = as_system(&request);
        let token = convert::refresh_token(request.into_inner().refresh_token).map_err(Error::from)?;
        self.0.logout(&access, &token).await?;
        Ok(Response::new(()))
    }

    async fn get_me(
        &self,
        request: Request<pb::GetMeRequest>,
    ) -> Result<Response<pb::GetMeResponse>, Status> {
        let caller = Caller::of(&request)?;
        let access = Access::to_own_company(&request)?;
        let (user, company) = self.0.get_me(&access, caller.user_id).await?;
        Ok(Response::new(pb::GetMeResponse { user: Some((&user).into()), company: Some((&company).into()) }))
    }
}
