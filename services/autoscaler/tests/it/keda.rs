//! The contract with KEDA.

use std::{collections::HashMap, time::Duration};

use autoscaler::{Switch, grpc::Grpc, metrics::Metrics, users::Users};
use jiff::SignedDuration;
use platform::{Clock, Context, client::Channel, testing::Running};
use prost::Message as _;
use proto::externalscaler::{
    GetMetricSpecResponse, GetMetricsRequest, GetMetricsResponse, IsActiveResponse, MetricSpec, MetricValue,
    ScaledObjectRef, external_scaler_client::ExternalScalerClient,
    external_scaler_server::ExternalScaler as _,
};
use tokio_stream::StreamExt as _;
use tonic::{Code, Request, transport};

use crate::support::{
    adapter::args,
    limiter::{Limiter, Says, answer},
    until,
};

/// The service without an API server, and KEDA's way to it.
struct Scaler {
    limiter: Limiter,
    clock: Clock,
    running: Running,
    client: ExternalScalerClient<transport::Channel>,
}

impl Scaler {
    async fn start(users: u64) -> Self {
        let clock = Clock::manual(Clock::system().now());
        let limiter = Limiter::start(clock.clone(), Says::Users(users)).await;
        let running = platform::testing::start(
            "autoscaler",
            clock.clone(),
            args(&limiter, Switch::Off),
            autoscaler::serve,
        )
        .await
        .unwrap();
        let client = ExternalScalerClient::connect(running.url()).await.unwrap();
        let scaler = Self { limiter, clock, running, client };
        until("the limiter is reached", async || {
            scaler.clock.advance(SignedDuration::from_secs(2));
            scaler.value().await.ok()
        })
        .await;
        scaler
    }

    /// Makes what is known old.
    fn forget(&self) {
        self.clock.advance(SignedDuration::from_secs(2));
    }

    async fn value(&self) -> Result<MetricValue, tonic::Status> {
        let request = GetMetricsRequest {
            scaled_object_ref: Some(reference(&[])),
            metric_name: "active_users".to_owned(),
        };
        let response = self.client.clone().get_metrics(request).await?.into_inner();
        Ok(response.metric_values.into_iter().next().unwrap())
    }

    async fn active(&self) -> Result<bool, tonic::Status> {
        Ok(self.client.clone().is_active(reference(&[])).await?.into_inner().result)
    }
}

fn reference(metadata: &[(&str, &str)]) -> ScaledObjectRef {
    let scaler_metadata =
        metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    ScaledObjectRef { name: "catalog".to_owned(), namespace: "shop".to_owned(), scaler_metadata }
}

#[test]
fn numbers_on_the_wire_are_keda_s() {
    let reference = ScaledObjectRef {
        name: "n".to_owned(),
        namespace: "s".to_owned(),
        scaler_metadata: HashMap::from([("k".to_owned(), "v".to_owned())]),
    };
    let inner = b"\x0a\x01n\x12\x01s\x1a\x06\x0a\x01k\x12\x01v";
    assert_eq!(reference.encode_to_vec(), inner);
    let request = GetMetricsRequest { scaled_object_ref: Some(reference), metric_name: "m".to_owned() };
    assert_eq!(request.encode_to_vec(), [b"\x0a\x0e".as_slice(), inner, b"\x12\x01m"].concat());
    assert_eq!(IsActiveResponse { result: true }.encode_to_vec(), b"\x08\x01");
    let float = [b"\x19".as_slice(), &2.0_f64.to_le_bytes()].concat();
    let pair = [b"\x0a\x0e\x0a\x01m\x10\x02".as_slice(), &float].concat();
    let spec = MetricSpec { metric_name: "m".to_owned(), target_size: 2, target_size_float: 2.0 };
    assert_eq!(GetMetricSpecResponse { metric_specs: vec![spec] }.encode_to_vec(), pair);
    let value = MetricValue { metric_name: "m".to_owned(), metric_value: 2, metric_value_float: 2.0 };
    assert_eq!(GetMetricsResponse { metric_values: vec![value] }.encode_to_vec(), pair);
}

#[tokio::test]
async fn values_fill_both_forms_and_nobody_is_not_active() {
    let scaler = Scaler::start(6_400).await;
    let value = scaler.value().await.unwrap();
    let expected = MetricValue {
        metric_name: "active_users".to_owned(),
        metric_value: 6_400,
        metric_value_float: 6_400.0,
    };
    assert_eq!((value, scaler.active().await.unwrap()), (expected, true));

    scaler.limiter.say(Says::Users(0));
    scaler.forget();
    let value = scaler.value().await.unwrap();
    assert_eq!((value.metric_value, scaler.active().await.unwrap()), (0, false));
}

#[tokio::test]
async fn what_is_not_known_is_an_error_of_both_questions_and_never_of_the_spec() {
    let scaler = Scaler::start(1).await;
    let (now, minute) = (scaler.clock.now(), SignedDuration::from_mins(1));
    for (says, message) in [
        (Says::Unknown, "active users have not been counted for a whole window yet"),
        (Says::This(answer(5, now - minute)), "the last count is of"),
        (
            Says::This(proto::ratelimit::v1::ActiveUsersResponse { as_of_time: None, ..answer(5, now) }),
            "lacks its time",
        ),
        (
            Says::This(proto::ratelimit::v1::ActiveUsersResponse { window: None, ..answer(5, now) }),
            "lacks its time or its window",
        ),
    ] {
        scaler.limiter.say(says);
        scaler.forget();
        for status in [scaler.value().await.unwrap_err(), scaler.active().await.unwrap_err()] {
            assert_eq!(status.code(), Code::Unavailable);
            assert!(status.message().starts_with("the number of active users is not known: "), "{status}");
            assert!(status.message().contains(message), "{status}");
        }
        let spec = scaler.client.clone().get_metric_spec(reference(&[("usersPerPod", "250")])).await.unwrap();
        let expected =
            MetricSpec { metric_name: "active_users".to_owned(), target_size: 250, target_size_float: 250.0 };
        assert_eq!(spec.into_inner().metric_specs, [expected]);
        assert_eq!(
            scaler.client.clone().stream_is_active(reference(&[])).await.unwrap_err().code(),
            Code::Unavailable
        );
    }
}

#[tokio::test]
async fn metadata_that_is_not_valid_is_named_whatever_is_asked() {
    use tonic_types::StatusExt as _;
    let scaler = Scaler::start(1).await;
    let mut client = scaler.client.clone();
    let wrong = || reference(&[("usersPerPod", "lots")]);
    let request =
        GetMetricsRequest { scaled_object_ref: Some(wrong()), metric_name: "active_users".to_owned() };
    for status in [
        client.get_metric_spec(wrong()).await.unwrap_err(),
        client.get_metrics(request).await.unwrap_err(),
        client.is_active(wrong()).await.unwrap_err(),
        client.stream_is_active(wrong()).await.unwrap_err(),
    ] {
        assert_eq!(status.code(), Code::InvalidArgument);
        let details = status.get_error_details();
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "scalerMetadata.usersPerPod");
    }
    for (metadata, asked, field) in [
        (Some(reference(&[("metricName", "a/b")])), "a/b", "scalerMetadata.metricName"),
        (Some(reference(&[])), "requests", "metricName"),
        (None, "active_users", "scaledObjectRef"),
    ] {
        let request = GetMetricsRequest { scaled_object_ref: metadata, metric_name: asked.to_owned() };
        let status = client.get_metrics(request).await.unwrap_err();
        let details = status.get_error_details();
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, field);
    }
    let renamed = GetMetricsRequest {
        scaled_object_ref: Some(reference(&[("metricName", "shop_users")])),
        metric_name: "shop_users".to_owned(),
    };
    let value = client.get_metrics(renamed).await.unwrap().into_inner().metric_values.remove(0);
    assert_eq!((value.metric_name.as_str(), value.metric_value), ("shop_users", 1));
}

#[tokio::test]
async fn those_who_ask_at_once_share_an_answer_and_it_is_asked_anew_when_it_is_old() {
    let scaler = Scaler::start(5).await;
    scaler.forget();
    let before = scaler.limiter.asked();
    let values = futures::future::join_all((0..20).map(|_| scaler.value())).await;
    assert!(values.into_iter().all(|value| value.unwrap().metric_value == 5));
    assert_eq!(scaler.limiter.asked(), before + 1);
    scaler.limiter.say(Says::Users(6));
    assert_eq!(scaler.value().await.unwrap().metric_value, 5);
    scaler.forget();
    assert_eq!(scaler.value().await.unwrap().metric_value, 6);
    assert_eq!(scaler.limiter.asked(), before + 2);
}

#[tokio::test]
async fn a_limiter_that_says_nothing_is_given_two_seconds_and_no_more() {
    let scaler = Scaler::start(5).await;
    scaler.limiter.say(Says::Nothing);
    scaler.forget();
    let status = scaler.value().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().ends_with("the limiter did not answer within 2 s"), "{status}");
}

#[tokio::test]
async fn a_stream_tells_the_state_at_once_and_ends_when_the_pod_goes() {
    let scaler = Scaler::start(5).await;
    let mut states = scaler.client.clone().stream_is_active(reference(&[])).await.unwrap().into_inner();
    assert!(states.message().await.unwrap().unwrap().result);
    let (end, stopped) = tokio::join!(states.message(), scaler.running.stop());
    stopped.unwrap();
    assert_eq!(end.unwrap(), None);
}

#[tokio::test]
async fn a_stream_tells_every_change_and_ends_with_an_error_when_the_state_is_not_known() {
    let scaler = Scaler::start(5).await;
    let context: &Context = scaler.running.context();
    let channel = Channel::connect("ratelimit", &scaler.limiter.url(), &context.tasks);
    until("a connection stands", async || channel.ready().ok()).await;
    let grpc = Grpc {
        users: Users::new(channel, context, Metrics::new(&context.meter)),
        users_per_pod: std::num::NonZeroU32::new(1),
        look_every: Duration::from_millis(1),
        terminating: context.terminating.clone(),
    };
    let mut states = grpc.stream_is_active(Request::new(reference(&[]))).await.unwrap().into_inner();
    let mut next = async |says: Says| {
        scaler.limiter.say(says);
        scaler.forget();
        states.next().await.map(|state| state.map(|state| state.result).map_err(|status| status.code()))
    };
    assert_eq!(next(Says::Users(5)).await, Some(Ok(true)));
    assert_eq!(next(Says::Users(0)).await, Some(Ok(false)));
    assert_eq!(next(Says::Users(9)).await, Some(Ok(true)));
    assert_eq!(next(Says::Unknown).await, Some(Err(Code::Unavailable)));
    assert_eq!(next(Says::Users(9)).await, None);
}
