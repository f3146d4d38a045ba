//! Lua scripts of services, one round trip each.

use std::fmt;

use fred::{
    clients::Client,
    error::Error,
    interfaces::LuaInterface as _,
    types::{FromValue, MultipleKeys, Value},
};

use super::{Redis, Unavailable};

/// A script that runs on the server as one step. Sent whole once per server, by its hash from then on.
pub struct Script {
    name: &'static str,
    script: fred::types::scripts::Script,
}

/// What a script is given beside its keys.
#[derive(Clone, Debug)]
pub struct Argument(Value);

impl Script {
    /// A script by this name in traces and metrics.
    pub fn new(name: &'static str, lua: &'static str) -> Self {
        Self { name, script: fred::types::scripts::Script::from_lua(lua) }
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Script").field(&self.name).finish()
    }
}

impl From<i64> for Argument {
    fn from(number: i64) -> Self {
        Self(number.into())
    }
}

impl From<String> for Argument {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for Argument {
    fn from(text: &str) -> Self {
        Self(text.to_owned().into())
    }
}

impl From<Vec<u8>> for Argument {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Value::Bytes(bytes.into()))
    }
}

impl Redis {
    /// Runs `script` on the server that has `keys`, which must share a hash tag.
    ///
    /// # Errors
    ///
    /// Redis is away, or the script failed or answered something else. It may have run all the same.
    pub async fn run<T: FromValue>(
        &self,
        script: &Script,
        keys: Vec<String>,
        arguments: Vec<Argument>,
    ) -> Result<T, Unavailable> {
        let arguments: Vec<Value> = arguments.into_iter().map(|argument| argument.0).collect();
        let keys = MultipleKeys::from(keys);
        self.command(script.name, run(&self.0.client, &script.script, keys, arguments)).await
    }
}

/// Runs `script` by its hash, and whole where that server has not seen it, which then keeps it.
///
/// Loading it on all servers would make the client wait for every answer that it is owed first: one server that hangs, and nobody would be
/// answered, not even once its replica has its place.
pub(super) async fn run<T: FromValue>(
    client: &Client,
    script: &fred::types::scripts::Script,
    keys: MultipleKeys,
    arguments: Vec<Value>,
) -> Result<T, Error> {
    match client.evalsha(script.sha1().clone(), keys.clone(), arguments.clone()).await {
        Err(error) if error.details().starts_with("NOSCRIPT") => {
            let Some(lua) = script.lua() else { return Err(error) };
            client.eval(lua.clone(), keys, arguments).await
        }
        outcome => outcome,
    }
}

/// The hash slot of `key`, 0 to 16,383: keys of a slot are on one server.
pub fn hash_slot(key: &str) -> u16 {
    fred::util::redis_keyslot(key.as_bytes())
}
