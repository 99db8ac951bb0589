//! What sealing, searching and proving cost as the vault grows: `cargo bench --bench growth`. Method and figures: `docs/BENCHMARKS.md`.
//!
//! For each size a vault is made by `muniment init` and grown through the product's own fold (`tests/support/grown.rs`); a
//! process of its own then opens it with the product's own parts and measures, so that its memory is that size's. Nothing is
//! limited here: `src/ingest/tests/growth.rs` holds the claim by counting. `cargo test --benches` runs it small, so that it can't rot.

#[path = "../support/grown.rs"]
mod grown;
mod searches;

use grown::{Random, Result, Shape, grow};
use muniment::{
    blob::{ImmutableSupport, Layout, Store},
    catalog::{Catalogue, Writer, accessions, inspections, placements, receipts, reports, search},
    config::Config,
    crypto::{FileKey, Recipient, Recipients},
    custody::{
        edge::Publisher,
        held,
        log_view::LogView,
        receipt::{Form, Receipt},
        sequencer::{Custody, Parts, Proposed, Sequencer},
    },
    domain::time::{Clock, SystemClock, Zone},
    seal::{Sealer, StagedBody, VersionId, placer::Placer},
    server::read_signer,
    tlog::{
        merkle::{Hash, HashReader, inclusion_proof},
        store::LogDir,
        tile::WIDTH,
    },
};
use ring::rand::SystemRandom;
use rustix::{
    fs::{Advice, fadvise},
    time::{ClockId, clock_gettime},
};
use searches::{KINDS, percentile, samples};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::channel,
    },
    time::{Duration, Instant},
};

/// Files that a stopping measurement waits for at the most.
const PLACING: Duration = Duration::from_secs(120);
/// Committers at one time in the grouped run.
const TOGETHER: u64 = 64;

struct Options {
    items: Vec<u64>,
    seals: u64,
    queries: usize,
    dir: Option<PathBuf>,
    generate_only: bool,
    measure: Option<PathBuf>,
}

fn options() -> Result<Options> {
    let mut options = Options {
        items: vec![1_000, 2_000],
        seals: 64,
        queries: 50,
        dir: None,
        generate_only: false,
        measure: None,
    };
    let mut arguments = std::env::args().skip(1);
    let (mut items, mut seals, mut queries) = (None, None, None);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            // `cargo bench` says so; `cargo test` doesn't.
            "--bench" => {
                (options.items, options.seals, options.queries) = (vec![10_000, 1_000_000], 2_048, 2_000);
            }
            "--items" => {
                let list: std::result::Result<Vec<u64>, _> = value()?.split(',').map(str::parse).collect();
                items = Some(list?);
            }
            "--seals" => seals = Some(value()?.parse()?),
            "--queries" => queries = Some(value()?.parse()?),
            "--dir" => options.dir = Some(value()?.into()),
            "--generate-only" => options.generate_only = true,
            "--measure" => options.measure = Some(value()?.into()),
            other => {
                return Err(format!(
                    "unknown argument {other}: --items N,N --seals N --queries N --dir DIR --generate-only"
                )
                .into());
            }
        }
    }
    options.items = items.unwrap_or(options.items);
    options.seals = seals.unwrap_or(options.seals);
    options.queries = queries.unwrap_or(options.queries);
    Ok(options)
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("growth bench: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<()> {
    let options = options()?;
    if let Some(vault) = &options.measure {
        let rows = measure(vault, &options)?;
        println!("{}", serde_json::to_string(&rows)?);
        return Ok(());
    }
    let temporary = tempfile::tempdir()?;
    let folder = options.dir.as_deref().unwrap_or(temporary.path());
    for items in &options.items {
        vault(folder, *items)?;
    }
    if options.generate_only {
        return Ok(());
    }
    let mut columns = Vec::new();
    for items in &options.items {
        let vault = vault(folder, *items)?;
        let mut rows = serve(&vault)?;
        let own = std::env::current_exe()?;
        let measured = Command::new(own)
            .arg("--measure")
            .arg(&vault)
            .args(["--seals", &options.seals.to_string()])
            .args(["--queries", &options.queries.to_string()])
            .stderr(Stdio::inherit())
            .output()?;
        if !measured.status.success() {
            return Err("the measuring process failed".into());
        }
        let inner: Vec<(String, String)> = serde_json::from_slice(&measured.stdout)?;
        rows.extend(inner);
        columns.push(rows);
    }
    print_table(&options.items, &columns);
    Ok(())
}

fn print_table(items: &[u64], columns: &[Vec<(String, String)>]) {
    let heads: Vec<String> = items.iter().map(|items| grouped(*items)).collect();
    println!("| sealed items | {} |", heads.join(" | "));
    println!("|---|{}", "---|".repeat(items.len()));
    for (at, (name, _)) in columns.first().into_iter().flatten().enumerate() {
        let cells: Vec<&str> = columns
            .iter()
            .map(|column| column.get(at).map_or("", |(_, value)| value))
            .collect();
        println!("| {name} | {} |", cells.join(" | "));
    }
}

/// A number with commas.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let parts: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|part| str::from_utf8(part).ok())
        .collect();
    parts.join(",")
}

/// The vault of this many items, made if it isn't there.
fn vault(folder: &Path, items: u64) -> Result<PathBuf> {
    let vault = folder.join(items.to_string());
    let done = vault.join("grown");
    if done.exists() {
        return Ok(vault);
    }
    let made = Command::new(env!("CARGO_BIN_EXE_muniment"))
        .args(["init", "--listen", "127.0.0.1:0", "--vault"])
        .arg(&vault)
        .output()?;
    if !made.status.success() {
        return Err(String::from_utf8_lossy(&made.stderr).into_owned().into());
    }
    let began = Instant::now();
    let config = Config::load(&vault.join("muniment.toml"))?;
    let shape = shape(items);
    grow(
        &Layout::new(&vault),
        &read_signer(&config.keys.log_key)?,
        config.zone(),
        &shape,
    )?;
    fs::write(done, "")?;
    eprintln!("{items} items grown in {:.0} s", began.elapsed().as_secs_f64());
    Ok(vault)
}

fn shape(items: u64) -> Shape {
    Shape {
        items,
        branches: 200,
        people: 5,
        // Yesterday, so that nothing of it is in an inbox any more.
        until_ms: SystemClock.now_ms() - 2 * 86_400_000,
        days: 1_095,
    }
}

/// Starts the server, cold and warm, and says how long it took and what it holds.
fn serve(vault: &Path) -> Result<Vec<(String, String)>> {
    let mut rows = Vec::new();
    for cold in [true, false] {
        if cold {
            fadvise(
                File::open(Layout::new(vault).catalog())?,
                0,
                None,
                Advice::DontNeed,
            )?;
        }
        let began = Instant::now();
        let mut server = Command::new(env!("CARGO_BIN_EXE_muniment"))
            .args(["serve", "--config"])
            .arg(vault.join("muniment.toml"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        let mut output = BufReader::new(server.stdout.take().ok_or("no output")?);
        while !line.contains("listening") {
            line.clear();
            if output.read_line(&mut line)? == 0 {
                return Err("the server didn't start".into());
            }
        }
        let took = began.elapsed();
        // The first round of looking after what waits begins at once.
        std::thread::sleep(Duration::from_secs(1));
        let memory = status(server.id(), "VmRSS")?;
        let name = if cold { "cold" } else { "warm" };
        rows.push((format!("server start, {name}, s"), seconds(took)));
        if !cold {
            rows.push(("server resident, MB".into(), megabytes(memory)));
        }
        let pid = rustix::process::Pid::from_child(&server);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        server.wait()?;
    }
    Ok(rows)
}

/// A value of `/proc/<pid>/status`, in bytes.
fn status(pid: u32, field: &str) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let value = text.lines().find_map(|line| {
        line.strip_prefix(field)?
            .strip_prefix(':')?
            .split_whitespace()
            .next()
    });
    Ok(value.ok_or("no such field")?.parse::<u64>()? * 1024)
}

fn seconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64())
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1_000.0)
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

/// Processor time of this process.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// p50 and p99 of how long `work` takes, in ms.
fn quantiles(rounds: usize, mut work: impl FnMut() -> Result<()>) -> Result<String> {
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let began = Instant::now();
        work()?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    let at = |percent| milliseconds(percentile(&times, percent));
    Ok(format!("{} / {}", at(50), at(99)))
}

/// Everything that is measured in a process of its own.
fn measure(vault: &Path, options: &Options) -> Result<Vec<(String, String)>> {
    let config = Config::load(&vault.join("muniment.toml"))?;
    let layout = Layout::new(vault);
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));

    let began = Instant::now();
    let open = Open::new(&config, &layout)?;
    row(
        "vault opened (fence, edge, placements), ms",
        milliseconds(began.elapsed()),
    );
    let catalogue = &open.log.catalogue().clone();
    let size = open.log.published_size()?;
    let versions = catalogue.read(reports::totals)?.versions;
    let mut random = Random(7);

    // Proofs, in the tree as it is published.
    let rounds = options.queries;
    let mut tiles = Vec::new();
    let value = quantiles(rounds, || {
        let index = random.below(size);
        open.log.inclusion(index, size)?;
        tiles.push(index);
        Ok(())
    })?;
    row("inclusion proof, p50 / p99 ms", value);
    let most = tiles
        .iter()
        .take(200)
        .map(|index| tiles_read(open.log.dir(), *index, size))
        .try_fold(0, |most, read| read.map(|read| most.max(read)))?;
    row("tiles read for one, at most", most.to_string());
    let value = quantiles(rounds, || {
        held::consistency(&open.log, random.below(size) + 1, size)?;
        Ok(())
    })?;
    row("consistency proof, p50 / p99 ms", value);

    let first = catalogue.read(|connection| search::after_receipt(connection, None, 1))?;
    let first = first.first().map_or(0, |row| row.receipt);
    let mut receipt = || first + random.below(versions);
    let value = quantiles(rounds, || {
        let number = receipt();
        let row = catalogue.read(|connection| receipts::by_number(connection, number))?;
        let receipt = Receipt::load(&open.log, row.ok_or("a receipt is missing")?)?;
        for form in Form::ALL {
            receipt.render(form, &open.log, config.zone())?;
        }
        Ok(())
    })?;
    row("receipt in its three forms, p50 / p99 ms", value);

    let parameters = samples(catalogue, (0..options.queries).map(|_| receipt()))?;
    let mut slowest = (Duration::ZERO, "");
    for (name, kind) in KINDS {
        let (times, _) = searches::measure(catalogue, kind, &parameters)?;
        let p99 = percentile(&times, 99);
        slowest = slowest.max((p99, name));
        if ["customer", "digest", "branch, type, month"].contains(&name) {
            let p50 = percentile(&times, 50);
            row(
                &format!("search: {name}, p50 / p99 ms"),
                format!("{} / {}", milliseconds(p50), milliseconds(p99)),
            );
        }
    }
    row(
        "slowest kind of search, p99 ms",
        format!("{} ({})", milliseconds(slowest.0), slowest.1),
    );
    let value = quantiles(20, || {
        catalogue.read(|connection| receipts::dates(connection, "0101"))?;
        Ok(())
    })?;
    row("days of a branch's receipts, p50 / p99 ms", value);
    let value = quantiles(20, || {
        catalogue.read(reports::totals)?;
        catalogue.read(reports::evidence_by_branch)?;
        Ok(())
    })?;
    row("totals by branch, p50 / p99 ms", value);
    let value = quantiles(20, || {
        catalogue.read(|connection| {
            accessions::declared_since(connection, 256)?;
            accessions::expired(connection, i64::MAX, 256)?;
            accessions::received_ids(connection)?;
            inspections::due_accessions(connection)
        })?;
        Ok(())
    })?;
    row("what a sweep and a start ask, p50 / p99 ms", value);

    // Sealing.
    let wal = wal_path(&layout);
    let (wall, cpu_time, written) = open.seal(options.seals / 4, 1)?;
    let each = |total: Duration, seals: u64| total.as_secs_f64() * 1_000.0 / seals as f64;
    let singles = options.seals / 4;
    row(
        "one at a time: seals/s",
        format!("{:.0}", singles as f64 / wall.as_secs_f64()),
    );
    row(
        "… CPU ms a seal, placing included",
        format!("{:.2}", each(cpu_time, singles)),
    );
    row(
        "… kB written a seal",
        format!("{:.0}", written as f64 / singles as f64 / 1e3),
    );
    let (wall, cpu_time, written) = open.seal(options.seals, TOGETHER)?;
    let seals = options.seals;
    row(
        &format!("{TOGETHER} at a time: seals/s"),
        format!("{:.0}", seals as f64 / wall.as_secs_f64()),
    );
    row(
        "… CPU ms a seal, placing included",
        format!("{:.2}", each(cpu_time, seals)),
    );
    row(
        "… kB written a seal",
        format!("{:.0}", written as f64 / seals as f64 / 1e3),
    );
    row(
        "WAL afterwards, MB",
        megabytes(fs::metadata(wal).map_or(0, |file| file.len())),
    );
    row("catalogue, MB", megabytes(fs::metadata(layout.catalog())?.len()));
    row(
        "this process at its peak, MB",
        megabytes(status(std::process::id(), "VmHWM")?),
    );
    Ok(rows)
}

fn wal_path(layout: &Layout) -> PathBuf {
    let mut name = layout.catalog().into_os_string();
    name.push("-wal");
    name.into()
}

/// Distinct tiles that an inclusion proof looks at.
fn tiles_read(dir: &LogDir, index: u64, size: u64) -> Result<usize> {
    let mut seen = BTreeSet::new();
    let mut reader = dir.reader(size);
    let mut counted = |level: u8, index: u64| -> std::result::Result<Hash, _> {
        seen.insert((level, index / WIDTH as u64));
        reader.hash(level, index)
    };
    inclusion_proof(index, size, &mut counted)?;
    Ok(seen.len())
}

/// A vault that is open as the server has it, without its edges.
struct Open {
    custody: Custody,
    sealer: Sealer,
    log: LogView,
    layout: Layout,
    zone: Zone,
    next: AtomicU64,
    shape: Shape,
    _placer: Placer,
    _sequencer: Sequencer,
}

impl Open {
    fn new(config: &Config, layout: &Layout) -> Result<Self> {
        let path = layout.catalog();
        let writer = Writer::open(&path)?;
        let catalogue = Catalogue::open(&path)?;
        let signer = read_signer(&config.keys.log_key)?;
        let verifier = signer.verifier().clone();
        let random: Arc<SystemRandom> = Arc::new(SystemRandom::new());
        let (wake, inbox) = channel();
        let parts = Parts {
            writer,
            reopen: Box::new(move || Writer::open(&path)),
            signer,
            origin: config.vault.origin.clone(),
            zone: config.zone(),
            clock: Arc::new(SystemClock),
            random: random.clone(),
            stopped_file: layout.log_stopped(),
            placer: wake,
        };
        let publisher = Publisher::new(layout.log())?;
        let (sequencer, custody) = Sequencer::start(parts, publisher, catalogue.clone())?;
        let unprotected = ImmutableSupport::Unsupported("a benchmark is thrown away".to_owned());
        let store = Store::new(layout.clone(), unprotected);
        let placer = Placer::start(catalogue.clone(), custody.clone(), store, layout.clone(), inbox)?;
        let recipients: Vec<Recipient> = config
            .keys
            .recipients
            .iter()
            .map(|recipient| recipient.parse())
            .collect::<std::result::Result<_, _>>()?;
        let versions = catalogue.read(reports::totals)?.versions;
        Ok(Open {
            sealer: Sealer::new(Recipients::new(&recipients)?, random, layout.clone()),
            log: LogView::new(catalogue, LogDir::new(layout.log()), verifier).beside(&custody),
            custody,
            layout: layout.clone(),
            zone: config.zone(),
            next: AtomicU64::new(versions),
            shape: shape(versions),
            _placer: placer,
            _sequencer: sequencer,
        })
    }

    /// Seals so many items by so many threads: how long that took, and, with everything in its place, processor time and
    /// bytes written.
    fn seal(&self, seals: u64, threads: u64) -> Result<(Duration, Duration, u64)> {
        let mut shares = Vec::new();
        for _ in 0..threads {
            let share: Result<Vec<_>> = (0..seals / threads).map(|_| self.staged()).collect();
            shares.push(share?);
        }
        let (cpu_before, written_before, began) = (cpu(), written()?, Instant::now());
        std::thread::scope(|scope| {
            let committers: Vec<_> = shares
                .into_iter()
                .map(|share| {
                    scope.spawn(move || -> Result<()> {
                        for (item, key) in share {
                            self.commit(item, key)?;
                        }
                        Ok(())
                    })
                })
                .collect();
            committers
                .into_iter()
                .try_for_each(|committer| committer.join().map_err(|_| "a committer failed")?)
        })?;
        let took = began.elapsed();
        let catalogue = self.log.catalogue();
        while catalogue.read(placements::pending_count)? > 0 {
            if began.elapsed() > took + PLACING {
                return Err("what was promised isn't in its place".into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok((took, cpu() - cpu_before, written()? - written_before))
    }

    /// An item whose body stands in staging.
    fn staged(&self) -> Result<(grown::Item, FileKey)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let item = self.shape.item(number, SystemClock.now_ms(), self.zone)?;
        fs::write(self.layout.staged(&item.draft.id)?, [7; 1_024])?;
        Ok((item, FileKey::generate(&SystemRandom::new())?))
    }

    fn commit(&self, item: grown::Item, key: FileKey) -> Result<()> {
        let body = StagedBody {
            accession: item.draft.id.clone(),
            size_bytes: 1_024,
        };
        let version = VersionId {
            customer: item.customer,
            evidence: item.evidence,
            version: 1,
        };
        let place = self.sealer.evidence(body, self.sealer.wrap(key), version);
        let draft = item.draft;
        self.custody.commit(move |turn| {
            // As an upload does: whether these bytes are sealed already.
            let text = |name: &str| draft.committed.get(name).cloned().unwrap_or_default();
            let doctype = draft.data.get("doctype").and_then(|code| code.as_str());
            search::by_identity(
                turn.connection,
                &text("customer"),
                &text("flow"),
                doctype.unwrap_or_default(),
                &text("seq"),
            )
            .map_err(|error| muniment::custody::sequencer::CommitError::Storage(error.to_string()))?;
            Ok(Proposed {
                draft,
                place: Some(place),
            })
        })?;
        Ok(())
    }
}

/// Bytes that this process handed to the system for writing.
fn written() -> Result<u64> {
    let text = fs::read_to_string("/proc/self/io")?;
    let value = text.lines().find_map(|line| line.strip_prefix("wchar: "));
    Ok(value.ok_or("no such field")?.parse()?)
}
