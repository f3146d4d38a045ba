//! What the flags of all commands have in common.

mod database_tls;

use std::collections::{BTreeMap, BTreeSet};

use clap::CommandFactory as _;

use super::*;

/// Every command that can be run, by its words, with the names of its flags.
fn commands() -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    gather(&Command::command(), "", &mut found);
    found
}

fn gather(command: &clap::Command, words: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
    for inner in command.get_subcommands() {
        gather(inner, format!("{words} {}", inner.get_name()).trim_start(), found);
    }
    if !command.has_subcommands() {
        let flags = command.get_arguments().filter_map(clap::Arg::get_long).map(str::to_owned).collect();
        found.insert(words.to_owned(), flags);
    }
}

/// The commands that have `flag`.
fn having(flag: &str) -> BTreeSet<String> {
    commands().into_iter().filter(|(_, flags)| flags.contains(flag)).map(|(words, _)| words).collect()
}

#[test]
fn whoever_connects_to_the_database_takes_a_password_and_a_file_of_authorities() {
    let connecting = having("database-url");
    for command in
        ["migrate", "bootstrap", "seed", "serve catalog", "serve orders", "serve auth", "serve jobs"]
    {
        assert!(connecting.contains(command), "{command} is not among {connecting:?}");
    }
    for flag in ["database-password", "database-ca-file"] {
        assert_eq!(having(flag), connecting, "{flag}");
    }
}

#[test]
fn only_services_with_lists_are_given_a_key_for_page_tokens() {
    let listing = ["serve catalog", "serve jobs", "serve orders"].map(str::to_owned);
    assert_eq!(having("page-token-key"), listing.into());
}
