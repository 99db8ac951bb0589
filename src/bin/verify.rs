//! `muniment-verify`: the auditor's program. Public keys, copied files, nothing else; see `docs/FORMAT.md`.
//!
//! It must never say OK for what it didn't check. Exit code: 0 all that was asked is right, 1 finding, 2 could not tell.

use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use muniment::{
    tlog::{
        note::{Algorithm, MAX_NOTE_BYTES, SignerKey},
        store::LogDir,
    },
    verify::{
        Keys, Report, Verdict, bag,
        history::DEFAULT_EVIDENCE_LIMIT,
        input::{self, InputError},
        log, objects,
        receipt::{self, Files},
        witness,
    },
};
use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

/// Checks Muniment's receipts, logs, exported bags and stores offline, with public keys only.
#[derive(Parser)]
#[command(name = "muniment-verify", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print JSON for machines instead of lines for people.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Check receipts: leaf, place in the log, signatures, openings, and the original if it is at hand.
    Receipt(ReceiptArgs),
    /// Check a copy of a whole log: every tile, every leaf, and what leaves say of each other.
    Log(LogArgs),
    /// Check an exported bag: manifests, receipt, record, original.
    Bundle(BundleArgs),
    /// Check a copy of a vault's objects against a copy of its log, without the identity.
    Objects(ObjectsArgs),
    /// Act as a witness: cosign a checkpoint that is proven to extend the one cosigned before.
    Cosign(CosignArgs),
    /// Make a witness's key: the private half in FILE, the public half in FILE.pub.
    Keygen(KeygenArgs),
}

#[derive(Args)]
struct KeyArgs {
    /// Public key of the log (log.pub), had from somewhere else than what is checked.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Public key of a witness whose cosignature is asked for.
    #[arg(long, value_name = "FILE")]
    witness: Vec<PathBuf>,
}

impl KeyArgs {
    fn read(&self) -> Result<Keys, InputError> {
        Ok(Keys {
            log: self.key.as_deref().map(input::read_key).transpose()?,
            witnesses: self
                .witness
                .iter()
                .map(|path| input::read_key(path))
                .collect::<Result<_, _>>()?,
        })
    }
}

#[derive(Args)]
struct ReceiptArgs {
    /// A receipt's .tlog-proof, .json or .txt; the other two are looked for beside it.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    keys: KeyArgs,
    /// The leaf, where it doesn't lie beside the proof.
    #[arg(long, value_name = "FILE")]
    leaf: Option<PathBuf>,
    /// The file that was uploaded, to compare with what the receipt says (with one receipt only).
    #[arg(long, visible_alias = "file", value_name = "FILE")]
    original: Option<PathBuf>,
}

#[derive(Args)]
struct LogArgs {
    /// A copy of the vault's `log` folder.
    dir: PathBuf,
    #[command(flatten)]
    keys: KeyArgs,
    /// A checkpoint that was kept elsewhere; the log has to extend it.
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// A folder of receipts; each is checked, and the log has to extend their checkpoints.
    #[arg(long, value_name = "DIR")]
    receipts: Option<PathBuf>,
    /// Pieces of evidence whose versions are followed: about 100 bytes of memory each.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_EVIDENCE_LIMIT)]
    evidence_limit: usize,
}

#[derive(Args)]
struct BundleArgs {
    /// The bag.
    dir: PathBuf,
    #[command(flatten)]
    keys: KeyArgs,
}

#[derive(Args)]
struct ObjectsArgs {
    /// A copy of the vault's `objects` folder.
    dir: PathBuf,
    /// A copy of the vault's `log` folder.
    #[arg(long, value_name = "DIR")]
    log: PathBuf,
    #[command(flatten)]
    keys: KeyArgs,
    /// Pieces of evidence whose versions are followed: about 100 bytes of memory each.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_EVIDENCE_LIMIT)]
    evidence_limit: usize,
}

#[derive(Args)]
struct CosignArgs {
    /// The log's checkpoint.
    checkpoint: PathBuf,
    /// Public key of the log.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The witness's private key, as `keygen` made it.
    #[arg(long, value_name = "FILE")]
    witness_key: PathBuf,
    /// The checkpoint that this witness cosigned last.
    #[arg(long, value_name = "FILE", conflicts_with = "first")]
    previous: Option<PathBuf>,
    /// This witness never cosigned this log.
    #[arg(long)]
    first: bool,
    /// A copy of the log, which proves that it grew from the previous checkpoint.
    #[arg(long, value_name = "DIR")]
    log: Option<PathBuf>,
    /// Where the cosigned checkpoint goes; it may be the file of --previous. Standard output otherwise.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Args)]
struct KeygenArgs {
    /// The witness's name, such as `audit.example/witness-1`: no spaces, no plus.
    #[arg(long)]
    name: String,
    /// File of the private half; it must not exist.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Why nothing could be told at all.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let verdict = run(&cli).unwrap_or_else(|error| {
        eprintln!("muniment-verify: {error}");
        Verdict::Unknown
    });
    ExitCode::from(verdict.exit_code())
}

fn run(cli: &Cli) -> Result<Verdict, Failure> {
    let reports = match &cli.command {
        Command::Receipt(args) => check_receipts(args)?,
        Command::Log(args) => vec![check_log(args)?],
        Command::Bundle(args) => {
            let bar = bytes_bar();
            let keys = args.keys.read()?;
            let report = bag::check(&args.dir, &keys, args.keys.key.as_deref(), &mut |bytes| {
                bar.inc(bytes)
            })?;
            bar.finish_and_clear();
            vec![report]
        }
        Command::Objects(args) => {
            let bar = bytes_bar();
            let (keys, log) = (args.keys.read()?, LogDir::new(&args.log));
            let mut report = objects::check(&args.dir, &log, &keys, args.evidence_limit, &mut |bytes| {
                bar.inc(bytes)
            })?;
            bar.finish_and_clear();
            key_from_elsewhere(args.keys.key.as_deref(), &args.log, &mut report);
            vec![report]
        }
        Command::Cosign(args) => return cosign(args, cli.json),
        Command::Keygen(args) => return keygen(args),
    };
    Ok(show(&reports, cli.json, io::stdout().lock())?)
}

/// Prints the reports, and gives the verdict on all of them.
fn show(reports: &[Report], json: bool, mut out: impl Write) -> io::Result<Verdict> {
    let verdict = reports
        .iter()
        .map(Report::verdict)
        .reduce(Verdict::and)
        .unwrap_or(Verdict::Unknown);
    if json {
        let reports: Vec<_> = reports.iter().map(Report::to_json).collect();
        writeln!(
            out,
            "{:#}",
            serde_json::json!({"verdict": verdict, "reports": reports})
        )?;
    } else {
        for (position, report) in reports.iter().enumerate() {
            if position > 0 {
                writeln!(out)?;
            }
            write!(out, "{report}")?;
        }
    }
    out.flush()?;
    Ok(verdict)
}

fn check_receipts(args: &ReceiptArgs) -> Result<Vec<Report>, Failure> {
    let keys = args.keys.read()?;
    // `receipts/*` names each receipt three times.
    let mut stems: Vec<PathBuf> = Vec::new();
    for stem in args.files.iter().map(|file| receipt::stem(file)) {
        if !stems.contains(&stem) {
            stems.push(stem);
        }
    }
    if stems.len() > 1 && (args.original.is_some() || args.leaf.is_some()) {
        return Err("--original and --leaf go with one receipt".into());
    }
    let original = args
        .original
        .as_deref()
        .map(|path| input::digest_original(path, &mut |_| {}))
        .transpose()?;
    stems
        .iter()
        .map(|stem| {
            let files = Files::read(stem, args.leaf.as_deref())?;
            Ok(receipt::check(&files.as_receipt(), &keys, original.as_ref()).report)
        })
        .collect()
}

fn check_log(args: &LogArgs) -> Result<Report, Failure> {
    let keys = args.keys.read()?;
    let mut older = log::read_older(&args.checkpoint)?;
    let mut receipts = None;
    if let Some(folder) = &args.receipts {
        let (report, checkpoints) = log::check_receipts(folder, &keys)?;
        older.extend(checkpoints);
        receipts = Some(report);
    }
    let bar = bar("{bar:40} {pos}/{len} leaves, {eta} left");
    let options = log::Options {
        older: &older,
        evidence_limit: args.evidence_limit,
        each: &mut |_, _| {},
        progress: &mut |leaves, of| {
            bar.set_length(of);
            bar.set_position(leaves);
        },
    };
    let mut report = log::check(&LogDir::new(&args.dir), &keys, options);
    bar.finish_and_clear();
    key_from_elsewhere(args.keys.key.as_deref(), &args.dir, &mut report);
    if let Some(receipts) = receipts {
        report.absorb(receipts);
    }
    Ok(report)
}

/// `/log` shows the log's key beside the log, for comparing; it isn't to be believed.
fn key_from_elsewhere(key: Option<&Path>, copy: &Path, report: &mut Report) {
    if key.is_some_and(|key| input::lies_in(key, copy)) {
        let why = "it lies in the copy itself, so it only shows that the copy agrees with itself: use one from elsewhere";
        report.unknown("key", why);
    }
}

/// A bar on standard error, where that is a terminal.
fn bar(template: &str) -> ProgressBar {
    ProgressBar::new(0)
        .with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn bytes_bar() -> ProgressBar {
    bar("{bytes} read, {bytes_per_sec}")
}

/// The result is the note; the report goes to standard error.
fn cosign(args: &CosignArgs, json: bool) -> Result<Verdict, Failure> {
    let mode = std::fs::metadata(&args.witness_key)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!(
            "{} has mode {mode:o}: others may have read it; it must be 600",
            args.witness_key.display()
        )
        .into());
    }
    let text = zeroize::Zeroizing::new(input::read(&args.witness_key, MAX_NOTE_BYTES)?);
    let text = std::str::from_utf8(&text)?;
    let key = SignerKey::parse(text.strip_suffix('\n').unwrap_or(text))?;
    let log = input::read_key(&args.key)?;
    let checkpoint = input::read(&args.checkpoint, MAX_NOTE_BYTES)?;
    let previous = args
        .previous
        .as_deref()
        .map(|path| input::read(path, MAX_NOTE_BYTES))
        .transpose()?;
    let dir = args.log.as_ref().map(LogDir::new);
    let request = witness::Request {
        checkpoint: &checkpoint,
        log: &log,
        previous: previous.as_deref(),
        dir: dir.as_ref(),
        first: args.first,
        time: SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
    };
    let (report, note) = witness::witness(&request, &key);
    let verdict = show(&[report], json, io::stderr().lock())?;
    if let Some(note) = note {
        match &args.out {
            Some(path) => replace(path, note.to_string().as_bytes())?,
            None => print!("{note}"),
        }
    }
    Ok(verdict)
}

fn keygen(args: &KeygenArgs) -> Result<Verdict, Failure> {
    let key = SignerKey::generate(
        &args.name,
        Algorithm::CosignatureV1,
        &ring::rand::SystemRandom::new(),
    )?;
    let mut public = args.out.clone().into_os_string();
    public.push(".pub");
    write_new(&args.out, format!("{}\n", *key.to_text()).as_bytes(), 0o600)?;
    write_new(
        Path::new(&public),
        format!("{}\n", key.verifier()).as_bytes(),
        0o644,
    )?;
    println!("{}", key.verifier());
    Ok(Verdict::Sound)
}

/// Writes a file that doesn't exist yet, durably.
fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(|error| format!("{} can't be made: {error}", path.display()))?;
    file.write_all(bytes)?;
    Ok(file.sync_all()?)
}

/// Replaces a file: a crash leaves the old one or the new one.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".writing");
    let unfinished = PathBuf::from(unfinished);
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    write_new(&unfinished, bytes, 0o644)?;
    Ok(std::fs::rename(&unfinished, path)?)
}
