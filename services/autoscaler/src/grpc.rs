//! KEDA's side: `ExternalScaler`.

use std::{num::NonZeroU32, time::Duration};

use futures::{StreamExt as _, stream, stream::BoxStream};
use platform::Invalid;
use proto::externalscaler::{
    GetMetricSpecResponse, GetMetricsRequest, GetMetricsResponse, IsActiveResponse, MetricSpec, MetricValue,
    ScaledObjectRef, external_scaler_server::ExternalScaler,
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::{error::Error, trigger::Trigger, users::Users};

/// How often an open stream looks whether the state has changed.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Answers KEDA.
#[derive(Clone, Debug)]
pub struct Grpc {
    /// The number.
    pub users: Users,
    /// Users per pod where a trigger doesn't say.
    pub users_per_pod: Option<NonZeroU32>,
    /// How often a stream looks: [`LOOK_EVERY`] except in tests, which can't wait.
    pub look_every: Duration,
    /// Ends streams when the process is told to stop, so that KEDA opens them at another pod.
    pub terminating: CancellationToken,
}

impl Grpc {
    fn trigger(&self, reference: &ScaledObjectRef) -> Result<Trigger, Error> {
        Ok(Trigger::parse(&reference.scaler_metadata, self.users_per_pod)?)
    }

    async fn is_anybody_active(&self) -> Result<bool, Error> {
        Ok(self.users.count().await?.users > 0)
    }

    /// The next state that differs from `last`. None at the end.
    async fn change(&self, last: bool) -> Option<Result<bool, Error>> {
        loop {
            let looking = async {
                tokio::time::sleep(self.look_every).await;
                self.is_anybody_active().await
            };
            match self.terminating.run_until_cancelled(looking).await? {
                Ok(active) if active == last => {}
                outcome => return Some(outcome),
            }
        }
    }
}

#[tonic::async_trait]
impl ExternalScaler for Grpc {
    async fn is_active(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<IsActiveResponse>, Status> {
        self.trigger(request.get_ref())?;
        Ok(Response::new(IsActiveResponse { result: self.is_anybody_active().await? }))
    }

    type StreamIsActiveStream = BoxStream<'static, Result<IsActiveResponse, Status>>;

    async fn stream_is_active(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<Self::StreamIsActiveStream>, Status> {
        self.trigger(request.get_ref())?;
        let first = self.is_anybody_active().await?;
        // An unknown state ends the stream with an error, after which KEDA opens a new one.
        let changes = stream::unfold(Some((self.clone(), first)), async |state| {
            let (grpc, last) = state?;
            let outcome = grpc.change(last).await?;
            let next = outcome.as_ref().ok().map(|active| (grpc, *active));
            Some((outcome, next))
        });
        let states = stream::iter([Ok(first)]).chain(changes);
        let answers = states.map(|state| Ok(IsActiveResponse { result: state? }));
        Ok(Response::new(answers.boxed()))
    }

    /// Never depends on the number: a trigger without a spec is dropped from the HPA.
    async fn get_metric_spec(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<GetMetricSpecResponse>, Status> {
        let trigger = self.trigger(request.get_ref())?;
        let spec = MetricSpec {
            metric_name: trigger.metric,
            target_size: trigger.users_per_pod.get().into(),
            target_size_float: trigger.users_per_pod.get().into(),
        };
        Ok(Response::new(GetMetricSpecResponse { metric_specs: vec![spec] }))
    }

    async fn get_metrics(
        &self,
        request: Request<GetMetricsRequest>,
    ) -> Result<Response<GetMetricsResponse>, Status> {
        let request = request.into_inner();
        let reference = request
            .scaled_object_ref
            .ok_or_else(|| Error::from(Invalid::new("scaledObjectRef", "must be given")))?;
        let trigger = self.trigger(&reference)?;
        if request.metric_name != trigger.metric {
            let problem = format!("must be {}", trigger.metric);
            return Err(Error::from(Invalid::new("metricName", problem)).into());
        }
        let users = self.users.count().await.map_err(Error::from)?.users;
        #[expect(clippy::cast_precision_loss, reason = "exact up to nine quadrillion users")]
        let value = MetricValue {
            metric_name: request.metric_name,
            metric_value: i64::try_from(users).unwrap_or(i64::MAX),
            metric_value_float: users as f64,
        };
        Ok(Response::new(GetMetricsResponse { metric_values: vec![value] }))
    }
}
