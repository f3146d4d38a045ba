//! An API server in memory for tests, spoken to without a socket, so that it works while tokio's time is paused.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::{Value, json};

/// Objects by their path, with resource versions that are compared and set. Clones are the same server. It knows no kind: what is
/// written is kept as it is, except that `stringData` of secrets is left to the caller.
#[derive(Clone, Default)]
pub struct FakeApi(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Value>,
    version: u64,
    requests: Vec<String>,
    behaviour: Option<Behave>,
}

type Behave = Box<dyn FnMut(&Method, &str) -> Behaviour + Send>;

/// How the server treats one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// As it should.
    Answer,
    /// As it should, when both halves of this time have passed: before the request is seen, and before the answer is.
    Slow(Duration),
    /// With this status; nothing is done.
    Fail(u16),
    /// It is carried out, and the answer never comes.
    Silence,
}

impl fmt::Debug for FakeApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeApi").finish_non_exhaustive()
    }
}

impl FakeApi {
    /// A client of it. Each has connections of its own.
    pub fn client(&self) -> kube::Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| api.clone().serve(request));
        kube::Client::new(service, "default")
    }

    /// Asks `behave` about each request from now on, by method and path.
    pub fn behave(&self, behave: impl FnMut(&Method, &str) -> Behaviour + Send + 'static) {
        self.lock().behaviour = Some(Box::new(behave));
    }

    /// Puts an object there, as somebody else would. The path is that of the API, as
    /// `/apis/coordination.k8s.io/v1/namespaces/shop/leases/jobs`.
    pub fn put(&self, path: &str, object: Value) {
        self.lock().write(path, object);
    }

    /// The object at a path.
    pub fn get(&self, path: &str) -> Option<Value> {
        self.lock().objects.get(path).cloned()
    }

    /// Deletes the object at a path.
    pub fn delete(&self, path: &str) {
        self.lock().objects.remove(path);
    }

    /// All requests so far, as `PUT /api/v1/…`.
    pub fn requests(&self) -> Vec<String> {
        self.lock().requests.clone()
    }

    async fn serve(self, request: Request<Body>) -> Result<Response<Body>, kube::Error> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let path = head.uri.path().to_owned();
        let behaviour = self.behaviour(&head.method, &path);
        let query = head.uri.query().unwrap_or_default().to_owned();
        let answer = || self.lock().answer(&head.method, &path, &query, &body);
        let (status, value) = match behaviour {
            Behaviour::Answer => answer(),
            Behaviour::Slow(time) => {
                tokio::time::sleep(time / 2).await;
                let answer = answer();
                tokio::time::sleep(time / 2).await;
                answer
            }
            Behaviour::Fail(code) => failure(code, "Failed"),
            Behaviour::Silence => {
                answer();
                std::future::pending().await
            }
        };
        let mut response = Response::new(Body::from(value.to_string().into_bytes()));
        *response.status_mut() = status;
        Ok(response)
    }

    /// Asks without the lock, so that whoever is asked may look at the server and change it.
    fn behaviour(&self, method: &Method, path: &str) -> Behaviour {
        let behave = {
            let mut state = self.lock();
            state.requests.push(format!("{method} {path}"));
            state.behaviour.take()
        };
        let Some(mut behave) = behave else { return Behaviour::Answer };
        let behaviour = behave(method, path);
        self.lock().behaviour.get_or_insert(behave);
        behaviour
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn answer(&mut self, method: &Method, path: &str, query: &str, body: &[u8]) -> (StatusCode, Value) {
        let given: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let Some(place) = Place::of(path) else { return failure(404, "NotFound") };
        match (method, place) {
            (&Method::GET, Place::Collection) => (StatusCode::OK, self.list(path, query)),
            (&Method::GET, Place::Object) => self.existing(path),
            (&Method::POST, Place::Collection) => {
                let Some(name) = given["metadata"]["name"].as_str() else { return failure(422, "Invalid") };
                let path = format!("{path}/{name}");
                if self.objects.contains_key(&path) {
                    return failure(409, "AlreadyExists");
                }
                (StatusCode::CREATED, self.write(&path, given))
            }
            (&Method::PUT, Place::Object) => self.change(path, &given, |_| given.clone()),
            (&Method::PATCH, Place::Object) => self.change(path, &given, |mut object| {
                merge(&mut object, &given);
                object
            }),
            (&Method::DELETE, Place::Object) => {
                let answer = self.existing(path);
                self.objects.remove(path);
                answer
            }
            _ => failure(405, "MethodNotAllowed"),
        }
    }

    fn existing(&self, path: &str) -> (StatusCode, Value) {
        self.objects
            .get(path)
            .map_or_else(|| failure(404, "NotFound"), |object| (StatusCode::OK, object.clone()))
    }

    /// Replaces an object, if it is the one that `given` was made from; a request without a version means any.
    fn change(
        &mut self,
        path: &str,
        given: &Value,
        change: impl FnOnce(Value) -> Value,
    ) -> (StatusCode, Value) {
        let Some(object) = self.objects.get(path).cloned() else { return failure(404, "NotFound") };
        let version = |object: &Value| object["metadata"]["resourceVersion"].as_str().map(str::to_owned);
        if version(given).is_some_and(|given| Some(given) != version(&object)) {
            return failure(409, "Conflict");
        }
        let changed = change(object);
        (StatusCode::OK, self.write(path, changed))
    }

    /// Writes an object under a new version. One that is not different keeps its version, as with the real server.
    fn write(&mut self, path: &str, mut object: Value) -> Value {
        let before = self.objects.get(path);
        if let Some(before) = before {
            object["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"].clone();
            if *before == object {
                return object;
            }
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.objects.insert(path.to_owned(), object.clone());
        object
    }

    fn list(&self, path: &str, query: &str) -> Value {
        let selector =
            query.split('&').find_map(|pair| pair.strip_prefix("labelSelector=")).unwrap_or_default();
        let selector = selector.replace("%2C", ",").replace("%3D", "=").replace("%2F", "/");
        let wanted: Vec<(&str, &str)> = selector.split(',').filter_map(|pair| pair.split_once('=')).collect();
        let prefix = format!("{path}/");
        let items: Vec<&Value> = self
            .objects
            .iter()
            .filter(|(path, _)| path.strip_prefix(&prefix).is_some_and(|name| !name.contains('/')))
            .map(|(_, object)| object)
            .filter(|object| wanted.iter().all(|(key, value)| object["metadata"]["labels"][*key] == **value))
            .collect();
        json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": self.version.to_string()}, "items": items})
    }
}

enum Place {
    Collection,
    Object,
}

impl Place {
    fn of(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (["api", _, rest @ ..] | ["apis", _, _, rest @ ..]) = parts.as_slice() else { return None };
        match rest {
            ["namespaces", _, _] | [_] => Some(Self::Collection),
            ["namespaces", _, _, ..] | [_, _] => Some(Self::Object),
            _ => None,
        }
    }
}

/// RFC 7386.
fn merge(object: &mut Value, patch: &Value) {
    let (Value::Object(fields), Value::Object(changes)) = (&mut *object, patch) else {
        *object = patch.clone();
        return;
    };
    for (key, change) in changes {
        if change.is_null() {
            fields.remove(key);
        } else {
            merge(fields.entry(key).or_insert(Value::Null), change);
        }
    }
}

fn failure(code: u16, reason: &str) -> (StatusCode, Value) {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": reason, "reason": reason, "code": code,
    });
    (status, body)
}
