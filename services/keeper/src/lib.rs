//! Keeps a Valkey cluster whole while its pods come and go.
//!
//! Valkey's nodes know one another by address, and pods change theirs. A keeper runs beside each node. Once a second it
//! resolves the names of all nodes, asks every one what it sees (`view`), `decide`s what is wrong with its own, and
//! says the commands that repair it (`keeper`). It has no memory and no leader: a round that was cut short is completed
//! by the next. Only what must happen once for the whole cluster, its creation, is left to the keeper of node 0.
//!
//! What it never does: introduce its node to one that is not of the same cluster. The cluster's bus has no password, so an
//! introduction to a stranger who has the address of a dead pod would make one cluster of two. Hence a node is only met
//! if it takes our password, announces the host name that we looked up, and either knows somebody we know, or is one of
//! the two (and the only one) that knows nobody.

mod args;
mod decide;
mod keeper;
mod nodes;
mod resolve;
mod resp;
mod slots;
mod view;

pub use args::{Args, serve};
pub use keeper::{Keeper, Members};
pub use resolve::{Dns, Resolve};
