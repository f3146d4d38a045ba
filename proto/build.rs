//! Compiles the contracts without protoc and keeps the encoded descriptors beside the generated code.

use std::{env, fs, path::PathBuf};

const FILES: [&str; 15] = [
    // Named by no contract, but needed by whoever writes an error as JSON.
    "google/rpc/status.proto",
    "google/rpc/error_details.proto",
    "sipup/type/v1/money.proto",
    "sipup/catalog/v1/catalog.proto",
    "sipup/catalog/v1/prices.proto",
    "sipup/catalog/v1/errors.proto",
    "sipup/orders/v1/orders.proto",
    "sipup/orders/v1/errors.proto",
    "sipup/auth/v1/auth.proto",
    "sipup/auth/v1/errors.proto",
    "sipup/jobs/v1/jobs.proto",
    "sipup/jobs/v1/reports.proto",
    "sipup/jobs/v1/errors.proto",
    "sipup/ratelimit/v1/limits.proto",
    "sipup/ratelimit/v1/errors.proto",
];

/// The protocols in which Envoy and KEDA ask us. Kept out of the descriptors, which are our own contracts.
const FOREIGN: [&str; 2] =
    ["envoy/service/ratelimit/v3/rls.proto", "keda/externalscaler/externalscaler.proto"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=sipup");
    println!("cargo:rerun-if-changed=google");
    println!("cargo:rerun-if-changed=envoy");
    println!("cargo:rerun-if-changed=keda");
    #[expect(clippy::disallowed_methods, reason = "build scripts are told where to write by the environment")]
    let out = PathBuf::from(env::var("OUT_DIR")?);

    let mut compiler = protox::Compiler::new(["."])?;
    compiler.include_imports(true).include_source_info(true).open_files(FILES)?;
    // The encoded form keeps `google.api.http`, which the typed one drops: Envoy and reflection need it.
    fs::write(out.join("sipup.binpb"), compiler.encode_file_descriptor_set())?;

    compiler.include_source_info(false);
    fs::write(out.join("sipup-slim.binpb"), compiler.encode_file_descriptor_set())?;

    compiler.include_source_info(true).open_files(FOREIGN)?;
    let descriptors = compiler.file_descriptor_set();

    tonic_prost_build::configure().include_file("sipup.rs").compile_fds(descriptors)?;
    Ok(())
}
