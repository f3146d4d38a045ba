//! Secrets that are made once: what is there is never changed, whoever put it there and whoever else makes them at the same time.

use std::{collections::BTreeMap, fmt};

use k8s_openapi::{ByteString, api::core::v1::Secret as Object};
use kube::{
    Api, Client,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use platform::Secret;
use serde_json::json;

/// HTTP's code for an object that was made or changed since it was looked at.
const CONFLICT: u16 = 409;
/// How often a Secret is looked at anew because somebody else wrote to it.
const ATTEMPTS: usize = 10;
/// The field manager of what is written.
const MANAGER: &str = "sipup";

/// A Secret that must be there, with its keys.
#[derive(Debug)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// Its labels, if it has to be made.
    pub labels: BTreeMap<String, String>,
    /// What must be in it.
    pub entries: Vec<Entry>,
}

/// Something that must be in a Secret.
pub struct Entry {
    matches: Matches,
    make: Box<dyn Fn() -> anyhow::Result<(String, Secret)> + Send + Sync>,
}

enum Matches {
    Name(&'static str),
    Suffix(&'static str),
}

/// What became of a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was not there.
    Created,
    /// All was there.
    Kept,
    /// It lacked these keys.
    Added(Vec<String>),
}

/// Why a Secret is not as it must be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server refused, or is away.
    #[error("could not {what} the Secret {name}")]
    Api {
        /// What was tried.
        what: &'static str,
        /// With which Secret.
        name: String,
        /// Why it failed.
        #[source]
        source: kube::Error,
    },
    /// A key is there, and holds nothing: it may be somebody's mistake, and is theirs to mend.
    #[error("the key {key} of the Secret {name} is empty: give it a value, or delete it and one is made")]
    Empty {
        /// The Secret.
        name: String,
        /// Its key.
        key: String,
    },
    /// A value could not be made.
    #[error("could not make a value for the Secret {name}")]
    Make {
        /// The Secret.
        name: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Others wrote to it again and again.
    #[error("the Secret {name} is being changed by somebody else all the time")]
    Contended {
        /// The Secret.
        name: String,
    },
}

impl Entry {
    /// The key `name`; `make` makes its value.
    pub fn named(name: &'static str, make: impl Fn() -> Secret + Send + Sync + 'static) -> Self {
        Self { matches: Matches::Name(name), make: Box::new(move || Ok((name.to_owned(), make()))) }
    }

    /// Any key that ends in `suffix`; `make` makes one and its value.
    pub fn with_suffix(
        suffix: &'static str,
        make: impl Fn() -> anyhow::Result<(String, Secret)> + Send + Sync + 'static,
    ) -> Self {
        Self { matches: Matches::Suffix(suffix), make: Box::new(make) }
    }

    fn is(&self, key: &str) -> bool {
        match self.matches {
            Matches::Name(name) => key == name,
            Matches::Suffix(suffix) => key.ends_with(suffix),
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Matches::Name(text) | Matches::Suffix(text)) = self.matches;
        f.debug_tuple("Entry").field(&text).finish()
    }
}

/// Makes the Secret in `namespace`, or the keys that it lacks. It needs the rights to create Secrets and to get and patch this one.
///
/// # Errors
///
/// See [`Error`]. Nothing that was there has changed.
pub async fn ensure(client: &Client, namespace: &str, wanted: &Wanted) -> Result<Outcome, Error> {
    let api: Api<Object> = Api::namespaced(client.clone(), namespace);
    let failed = |what| move |source| Error::Api { what, name: wanted.name.clone(), source };
    for _ in 0..ATTEMPTS {
        let (outcome, written) = match api.get_opt(&wanted.name).await.map_err(failed("read"))? {
            None => {
                let values = wanted.make(&wanted.entries.iter().collect::<Vec<_>>())?;
                (Outcome::Created, create(&api, wanted, values).await.map_err(failed("create")))
            }
            Some(object) => {
                let missing = wanted.missing_in(&object)?;
                if missing.is_empty() {
                    return Ok(Outcome::Kept);
                }
                let values = wanted.make(&missing)?;
                let outcome = Outcome::Added(values.keys().cloned().collect());
                (outcome, add(&api, &object, values).await.map_err(failed("add keys to")))
            }
        };
        match written {
            Ok(()) => return Ok(outcome),
            Err(Error::Api { source: kube::Error::Api(status), .. }) if status.code == CONFLICT => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::Contended { name: wanted.name.clone() })
}

type Values = BTreeMap<String, ByteString>;

async fn create(api: &Api<Object>, wanted: &Wanted, values: Values) -> kube::Result<()> {
    let object = Object {
        metadata: ObjectMeta {
            name: Some(wanted.name.clone()),
            labels: Some(wanted.labels.clone()),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        data: Some(values),
        ..Object::default()
    };
    let parameters = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    api.create(&parameters, &object).await.map(drop)
}

/// Adds keys to `object` as it was read: if it has changed since, that is a conflict.
async fn add(api: &Api<Object>, object: &Object, values: Values) -> kube::Result<()> {
    let patch = json!({"metadata": {"resourceVersion": object.metadata.resource_version}, "data": values});
    let name = object.metadata.name.as_deref().unwrap_or_default();
    api.patch(
        name,
        &PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() },
        &Patch::Merge(patch),
    )
    .await
    .map(drop)
}

impl Wanted {
    /// The entries that `object` has no key for.
    fn missing_in(&self, object: &Object) -> Result<Vec<&Entry>, Error> {
        let data = object.data.iter().flatten();
        let empty =
            data.clone().find(|(key, value)| value.0.is_empty() && self.entries.iter().any(|e| e.is(key)));
        if let Some((key, _)) = empty {
            return Err(Error::Empty { name: self.name.clone(), key: key.clone() });
        }
        Ok(self.entries.iter().filter(|entry| !data.clone().any(|(key, _)| entry.is(key))).collect())
    }

    fn make(&self, entries: &[&Entry]) -> Result<Values, Error> {
        let made = entries.iter().map(|entry| (entry.make)());
        let values =
            made.map(|made| made.map(|(key, value)| (key, ByteString(value.expose().as_bytes().to_vec()))));
        values
            .collect::<anyhow::Result<_>>()
            .map_err(|error| Error::Make { name: self.name.clone(), source: error.into() })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created => f.write_str("created"),
            Self::Kept => f.write_str("kept"),
            Self::Added(keys) => write!(f, "key added: {}", keys.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;
    use serde_json::Value;

    use super::*;
    use crate::testing::{Behaviour, FakeApi};

    const PATH: &str = "/api/v1/namespaces/shop/secrets/sipup-auth";

    /// A new value each time.
    fn secret() -> Secret {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Secret::new(format!("value {}", NEXT.fetch_add(1, Ordering::SeqCst)))
    }

    fn wanted() -> Wanted {
        Wanted {
            name: "sipup-auth".to_owned(),
            labels: BTreeMap::from([("app.kubernetes.io/managed-by".to_owned(), "sipup".to_owned())]),
            entries: vec![
                Entry::named("refresh-key", secret),
                Entry::with_suffix(".pem", || Ok(("now.pem".to_owned(), secret()))),
            ],
        }
    }

    fn there(data: &Value) -> FakeApi {
        let api = FakeApi::default();
        api.put(
            PATH,
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sipup-auth"}, "data": data}),
        );
        api
    }

    #[tokio::test]
    async fn an_absent_secret_is_made_once_and_then_kept() {
        let api = FakeApi::default();
        assert_eq!(ensure(&api.client(), "shop", &wanted()).await.unwrap(), Outcome::Created);
        let made = api.get(PATH).unwrap();
        assert_eq!(made["metadata"]["labels"]["app.kubernetes.io/managed-by"], "sipup");
        assert!(made["data"]["refresh-key"].is_string() && made["data"]["now.pem"].is_string());
        assert_eq!(ensure(&api.client(), "shop", &wanted()).await.unwrap(), Outcome::Kept);
        assert_eq!(api.get(PATH).unwrap(), made);
    }

    #[tokio::test]
    async fn a_key_that_is_absent_is_added_and_the_others_stay() {
        let api = there(&json!({"refresh-key": "bWluZQ==", "note": "aGk="}));
        let outcome = ensure(&api.client(), "shop", &wanted()).await.unwrap();
        assert_eq!(outcome, Outcome::Added(vec!["now.pem".to_owned()]));
        let data = api.get(PATH).unwrap()["data"].clone();
        assert_eq!((&data["refresh-key"], &data["note"]), (&json!("bWluZQ=="), &json!("aGk=")));
        assert!(data["now.pem"].is_string());
    }

    #[tokio::test]
    async fn a_key_of_any_name_with_the_suffix_is_enough() {
        let api = there(&json!({"refresh-key": "bWluZQ==", "20260131T120000Z.pem": "aGk="}));
        assert_eq!(ensure(&api.client(), "shop", &wanted()).await.unwrap(), Outcome::Kept);
    }

    #[tokio::test]
    async fn an_empty_key_is_nobodys_to_fill() {
        let api = there(&json!({"refresh-key": ""}));
        let error = ensure(&api.client(), "shop", &wanted()).await.unwrap_err().to_string();
        assert!(error.contains("refresh-key") && error.contains("sipup-auth"), "{error}");
        assert_eq!(api.get(PATH).unwrap()["data"], json!({"refresh-key": ""}));
    }

    #[tokio::test]
    async fn of_many_that_make_it_at_once_one_does_and_all_end_well() {
        let api = FakeApi::default();
        let (client, wanted) = (api.client(), wanted());
        let outcomes = join_all((0..8).map(|_| ensure(&client, "shop", &wanted))).await;
        let created = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Outcome::Created))).count();
        let kept = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Outcome::Kept))).count();
        assert_eq!((created, kept), (1, 7));
    }

    #[tokio::test]
    async fn what_somebody_else_wrote_in_between_is_kept() {
        let api = there(&json!({}));
        let (other, mut first) = (api.clone(), true);
        // Another process adds a key between our read and our write.
        api.behave(move |method, _| {
            if method == http::Method::PATCH && std::mem::take(&mut first) {
                let mut object = other.get(PATH).unwrap();
                object["data"]["refresh-key"] = "dGhlaXJz".into();
                other.put(PATH, object);
            }
            Behaviour::Answer
        });
        let outcome = ensure(&api.client(), "shop", &wanted()).await.unwrap();
        assert_eq!(outcome, Outcome::Added(vec!["now.pem".to_owned()]));
        assert_eq!(api.get(PATH).unwrap()["data"]["refresh-key"], "dGhlaXJz");
    }

    #[tokio::test]
    async fn a_refusal_names_the_secret_and_no_value() {
        let api = FakeApi::default();
        api.behave(|_, _| Behaviour::Fail(403));
        let error = ensure(&api.client(), "shop", &wanted()).await.unwrap_err();
        assert_eq!(error.to_string(), "could not read the Secret sipup-auth");
        assert!(!format!("{:?}", wanted()).contains("value"));
    }
}
