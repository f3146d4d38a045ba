//! An API server in this process, over plain HTTP: objects with versions that are compared and set, lists, watches, reviews.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Query, Request, State},
    response::{IntoResponse as _, Response},
};
use futures::{StreamExt as _, stream};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::watch;

type Hook = Box<dyn FnOnce(&mut Objects) + Send>;

/// Objects by path.
#[derive(Default)]
pub(crate) struct Objects {
    by_path: BTreeMap<String, Value>,
    version: u64,
    /// Every write: its version, and the object.
    log: Vec<(u64, &'static str, String)>,
    hooks: Vec<(Method, String, Hook)>,
    failing: Option<StatusCode>,
    requests: Vec<String>,
    reviews: Vec<Value>,
    answer: Option<bool>,
}

/// The server. Clones are the same one.
#[derive(Clone)]
pub(crate) struct ApiServer {
    objects: Arc<Mutex<Objects>>,
    changed: watch::Sender<u64>,
    url: String,
}

impl Objects {
    /// Writes as anybody may, whatever was there.
    pub(crate) fn put(&mut self, path: &str, mut object: Value) {
        self.version += 1;
        let event = if self.by_path.contains_key(path) { "MODIFIED" } else { "ADDED" };
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        object["metadata"]["name"] = path.rsplit('/').next().unwrap().into();
        self.by_path.insert(path.to_owned(), object);
        self.log.push((self.version, event, path.to_owned()));
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.by_path.get(path).cloned()
    }

    fn change(&mut self, path: &str, given: &Value, merge: bool) -> Result<Value, StatusCode> {
        let mut object = self.get(path).ok_or(StatusCode::NOT_FOUND)?;
        let expected = &given["metadata"]["resourceVersion"];
        if !expected.is_null() && *expected != object["metadata"]["resourceVersion"] {
            return Err(StatusCode::CONFLICT);
        }
        if merge {
            merge_into(&mut object, given);
        } else {
            object = given.clone();
        }
        self.put(path, object.clone());
        Ok(self.get(path).unwrap())
    }
}

fn merge_into(object: &mut Value, patch: &Value) {
    match (object.as_object_mut(), patch.as_object()) {
        (Some(fields), Some(changes)) => {
            for (key, change) in changes {
                merge_into(fields.entry(key).or_insert(Value::Null), change);
            }
        }
        _ => *object = patch.clone(),
    }
}

impl ApiServer {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { objects: Arc::default(), changed: watch::Sender::new(0), url };
        let router = Router::new().fallback(serve).with_state(server.clone());
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        drop(tokio::spawn(async move { axum::serve(listener, router).await }));
        server
    }

    pub(crate) fn client(&self) -> kube::Client {
        platform::run::install_crypto();
        kube::Client::try_from(kube::Config::new(self.url.parse().unwrap())).unwrap()
    }

    pub(crate) fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap()
    }

    pub(crate) fn put(&self, path: &str, object: Value) {
        self.objects().put(path, object);
        self.tell();
    }

    /// Changes an object in place.
    pub(crate) fn edit(&self, path: &str, edit: impl FnOnce(&mut Value)) {
        let mut object = self.objects().get(path).unwrap();
        edit(&mut object);
        self.put(path, object);
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.objects().get(path)
    }

    /// Does something just before the next such request is carried out.
    pub(crate) fn before(
        &self,
        method: Method,
        path: &str,
        hook: impl FnOnce(&mut Objects) + Send + 'static,
    ) {
        self.objects().hooks.push((method, path.to_owned(), Box::new(hook)));
    }

    /// Refuses everything with `status`, or no more.
    pub(crate) fn fail(&self, status: Option<StatusCode>) {
        self.objects().failing = status;
    }

    /// How reviews are answered: None is no answer.
    pub(crate) fn answer_reviews(&self, answer: Option<bool>) {
        self.objects().answer = answer;
    }

    /// The `spec` of each review so far.
    pub(crate) fn reviews(&self) -> Vec<Value> {
        self.objects().reviews.clone()
    }

    /// The writes so far, as `PUT /path`.
    pub(crate) fn writes(&self) -> Vec<String> {
        let objects = self.objects();
        objects.requests.iter().filter(|request| !request.starts_with("GET")).cloned().collect()
    }

    fn tell(&self) {
        let version = self.objects().version;
        self.changed.send_replace(version);
    }

    fn list(&self, collection: &str, name: Option<&str>) -> Value {
        let objects = self.objects();
        let under = |path: &str| match (path.strip_prefix(collection), name) {
            (Some(rest), Some(name)) => rest == format!("/{name}"),
            (Some(rest), None) => rest.starts_with('/'),
            (None, _) => false,
        };
        let items: Vec<_> =
            objects.by_path.iter().filter(|(path, _)| under(path)).map(|(_, object)| object).collect();
        json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": objects.version.to_string()}, "items": items})
    }

    /// Lines of events after `since`, for as long as somebody reads.
    fn watch(&self, path: String, since: u64) -> Response {
        let changed = self.changed.subscribe();
        let events = stream::unfold((self.clone(), changed, since), move |(server, mut changed, since)| {
            let path = path.clone();
            async move {
                loop {
                    let found = {
                        let objects = server.objects();
                        let next =
                            objects.log.iter().find(|(version, _, at)| *version > since && *at == path);
                        next.map(|(version, event, _)| {
                            let line = json!({"type": event, "object": objects.by_path[&path]});
                            (*version, format!("{line}\n"))
                        })
                    };
                    if let Some((version, line)) = found {
                        return Some((Ok::<_, std::io::Error>(line), (server, changed, version)));
                    }
                    changed.changed().await.ok()?;
                }
            }
        });
        Body::from_stream(events.boxed()).into_response()
    }

    fn review(&self, review: &Value) -> Response {
        let mut objects = self.objects();
        objects.reviews.push(review["spec"].clone());
        let Some(allowed) = objects.answer else {
            return failure(StatusCode::INTERNAL_SERVER_ERROR);
        };
        let mut answer = review.clone();
        answer["status"] = json!({"allowed": allowed});
        (StatusCode::CREATED, Json(answer)).into_response()
    }
}

async fn serve(
    State(server): State<ApiServer>,
    Query(query): Query<HashMap<String, String>>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let given: Value = serde_json::from_slice(&body).unwrap_or_default();
    {
        let mut objects = server.objects();
        objects.requests.push(format!("{} {path}", head.method));
        if let Some(index) = objects.hooks.iter().position(|hook| hook.0 == head.method && hook.1 == path) {
            let (_, _, hook) = objects.hooks.remove(index);
            hook(&mut objects);
        }
        if let Some(status) = objects.failing {
            return failure(status);
        }
    }
    if path.ends_with("/subjectaccessreviews") {
        return server.review(&given);
    }
    let outcome = match head.method {
        Method::GET => return read(&server, &path, &query),
        Method::PUT => server.objects().change(&path, &given, false),
        Method::PATCH => server.objects().change(&path, &given, true),
        _ => Err(StatusCode::METHOD_NOT_ALLOWED),
    };
    server.tell();
    outcome.map_or_else(failure, |object| Json(object).into_response())
}

fn read(server: &ApiServer, path: &str, query: &HashMap<String, String>) -> Response {
    let name = query.get("fieldSelector").and_then(|text| text.strip_prefix("metadata.name="));
    match (name, query.contains_key("watch")) {
        (Some(name), true) => {
            let since = query.get("resourceVersion").and_then(|text| text.parse().ok()).unwrap_or(0);
            server.watch(format!("{path}/{name}"), since)
        }
        (Some(name), false) => Json(server.list(path, Some(name))).into_response(),
        (None, _) => server
            .get(path)
            .map_or_else(|| failure(StatusCode::NOT_FOUND), |object| Json(object).into_response()),
    }
}

fn failure(status: StatusCode) -> Response {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status.as_u16(),
        "reason": status.canonical_reason(), "message": "no"});
    (status, Json(body)).into_response()
}
