//! Somebody at the console with curl: signed in by password and code, as the log knows them, with a cookie jar of their own.

use super::{TestVault, command, server::wait_for};
use ring::hmac;
use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::Ordering,
    thread,
    time::Duration,
};

const STEP_S: i64 = 30;
/// Steps that an app's clock may be away.
const DRIFT: i64 = 1;

/// Pages that one curl gets.
const PAGES_AT_ONCE: usize = 100;

/// What came back.
pub struct Answer {
    /// HTTP status; 0 for who was hung up on before an answer.
    pub status: u16,
    /// Status line and fields, in lower case.
    pub head: String,
    /// The body as it came.
    pub body: Vec<u8>,
}

impl Answer {
    fn new(head: &str, body: Vec<u8>) -> Self {
        let head = head.to_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Answer {
            status: status.unwrap_or(0),
            head,
            body,
        }
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A field of the head, in lower case.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value.trim())
    }
}

/// A person's browser, as far as a test needs one.
pub struct Visitor {
    /// Log-in name.
    pub name: String,
    console: String,
    certificate: PathBuf,
    jar: PathBuf,
    scratch: PathBuf,
    csrf: String,
}

impl Visitor {
    /// Nobody: a browser in which nobody has signed in.
    pub fn nobody(vault: &TestVault) -> Self {
        let number = vault.fetched.fetch_add(1, Ordering::Relaxed);
        Visitor {
            name: "nobody".to_owned(),
            console: vault.server().console.clone().expect("a vault with a console"),
            certificate: vault.console_certificate(),
            jar: vault.home.join(format!("jar-{number}")),
            scratch: vault.home.join(format!("answer-{number}")),
            csrf: String::new(),
        }
    }

    /// Somebody who was added before: invited, joined with a password and an app, signed in.
    pub fn signed_in(vault: &TestVault, name: &str) -> Self {
        let invited = vault.muniment_json(&["user", "invite", name]);
        let code = invited["code"].as_str().unwrap();
        let mut visitor = Self::nobody(vault);
        name.clone_into(&mut visitor.name);
        let password = format!("a long enough password of {}", name.len());
        visitor.learn_token("/join");
        let page = visitor.post("/join", &[("code", code)]);
        assert_eq!(page.status, 200, "{}", page.text());
        let page = page.text();
        let secret = between(&page, "<p class=\"once\"><code>", "</code>");
        let mut step = now_s() / STEP_S - DRIFT;
        let joined = visitor.post(
            "/join/finish",
            &[
                ("code", code),
                ("enrolment", between(&page, "name=\"enrolment\" value=\"", "\"")),
                ("answer", ""),
                ("password", &password),
                ("again", &password),
                ("totp", &totp(secret, step)),
            ],
        );
        assert_eq!(joined.status, 200, "{}", joined.text());
        visitor.learn_token("/sign-in");
        // The next step, which may have to come first.
        step = (step + 1).max(now_s() / STEP_S - DRIFT);
        while step > now_s() / STEP_S + DRIFT {
            thread::sleep(Duration::from_millis(200));
        }
        let signed = visitor.post(
            "/sign-in",
            &[
                ("name", name),
                ("password", &password),
                ("code", &totp(secret, step)),
            ],
        );
        assert_eq!(signed.status, 303, "{}", signed.text());
        visitor.learn_token("/account");
        visitor
    }

    /// A page.
    pub fn get(&self, path: &str) -> Answer {
        self.ask(path, &[])
    }

    /// A form, with the session's token.
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut words = vec!["--data-urlencode".to_owned(), format!("csrf={}", self.csrf)];
        for (name, value) in fields {
            words.extend(["--data-urlencode".to_owned(), format!("{name}={value}")]);
        }
        words.extend(["-H".to_owned(), format!("Origin: {}", self.console)]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.ask(path, &words)
    }

    /// Whatever curl can ask.
    pub fn ask(&self, path: &str, words: &[&str]) -> Answer {
        let (head, body) = (
            self.scratch.with_extension("head"),
            self.scratch.with_extension("body"),
        );
        let _ = (fs::remove_file(&head), fs::remove_file(&body));
        let mut curl = self.curl();
        curl.arg("-c").arg(&self.jar);
        curl.arg("-D").arg(&head).arg("-o").arg(&body).args(words);
        let ran = command::run(curl.arg(format!("{}{path}", self.console)));
        // 18: it ended before its announced length, which is what a revoked reading looks like. 55, 56: hung up on while it still sent.
        assert!(matches!(ran.code, Some(0 | 18 | 55 | 56)), "{ran}");
        let head = fs::read_to_string(&head).unwrap_or_default();
        Answer::new(&head, fs::read(&body).unwrap_or_default())
    }

    /// Many pages, one after another over one connection: starting curl and TLS cost more than most pages.
    pub fn get_all(&self, paths: &[String]) -> Vec<Answer> {
        paths
            .chunks(PAGES_AT_ONCE)
            .flat_map(|paths| self.get_some(paths))
            .collect()
    }

    fn get_some(&self, paths: &[String]) -> Vec<Answer> {
        let files: Vec<PathBuf> = (0..paths.len())
            .map(|number| self.scratch.with_extension(number.to_string()))
            .collect();
        let mut curl = self.curl();
        // With its head, because one file for all heads says nothing of whose they are.
        curl.args(["-g", "-i", "-c"]).arg(&self.jar);
        for (path, file) in paths.iter().zip(&files) {
            let _ = fs::remove_file(file);
            curl.arg("-o").arg(file).arg(format!("{}{path}", self.console));
        }
        let ran = command::run(&mut curl);
        assert_eq!(ran.code, Some(0), "{ran}");
        let answer = |file: &PathBuf| {
            let came = fs::read(file).unwrap_or_default();
            let end = came.windows(4).position(|four| four == b"\r\n\r\n");
            let (head, body) = came.split_at(end.map_or(came.len(), |end| end + 4));
            let answer = Answer::new(&String::from_utf8_lossy(head), body.to_vec());
            assert_ne!(answer.status, 0, "no answer: {ran}");
            answer
        };
        files.iter().map(answer).collect()
    }

    /// Begins to fetch something at `rate` bytes a second, into a file.
    pub fn begin(&self, path: &str, rate: &str) -> Fetching {
        let into = self.scratch.with_extension("stream");
        let _ = fs::remove_file(&into);
        let mut curl = self.curl();
        curl.args(["--limit-rate", rate, "-o"]).arg(&into);
        curl.arg(format!("{}{path}", self.console)).stderr(Stdio::null());
        Fetching {
            child: curl.spawn().unwrap(),
            into,
        }
    }

    fn curl(&self) -> Command {
        let mut curl = Command::new("curl");
        curl.args([
            "-sS",
            "--path-as-is",
            "--max-time",
            "120",
            "-H",
            "Expect:",
            "--cacert",
        ]);
        curl.arg(&self.certificate).arg("-b").arg(&self.jar);
        curl
    }

    /// The session's secret, as its browser keeps it.
    pub fn secret(&self) -> String {
        let jar = fs::read_to_string(&self.jar).unwrap();
        let mut cookies = jar.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        let session = cookies.rfind(|cookie| cookie.get(5) == Some(&"__Host-muniment"));
        session.expect("a session in the jar")[6].to_owned()
    }

    /// The session's token, from a page with a form.
    fn learn_token(&mut self, path: &str) {
        let page = self.get(path);
        assert_eq!(page.status, 200, "{path}: {}", page.text());
        between(&page.text(), "name=\"csrf\" value=\"", "\"").clone_into(&mut self.csrf);
    }
}

/// Something that is being fetched.
pub struct Fetching {
    child: Child,
    into: PathBuf,
}

impl Fetching {
    /// Waits until it is under way.
    pub fn under_way(&self) {
        wait_for("the first bytes", || {
            fs::metadata(&self.into)
                .is_ok_and(|file| file.len() > 0)
                .then_some(())
        });
    }

    /// What came until it was over, and whether that was all that was announced.
    pub fn end(mut self) -> (Vec<u8>, bool) {
        let code = wait_for("the end of the stream", || self.child.try_wait().unwrap()).code();
        assert!(matches!(code, Some(0 | 18 | 56)), "curl ended with {code:?}");
        (fs::read(&self.into).unwrap(), code == Some(0))
    }
}

/// What stands between two texts.
#[track_caller]
pub fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let (_, rest) = text
        .split_once(before)
        .unwrap_or_else(|| panic!("no {before:?} in {text}"));
    rest.split_once(after).expect("it ends").0
}

fn now_s() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.unwrap().as_secs()).unwrap()
}

/// What an authenticator app shows (RFC 6238).
fn totp(secret: &str, step: i64) -> String {
    let bits: String = secret
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| {
            format!(
                "{:05b}",
                "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(c).expect("base32")
            )
        })
        .collect();
    let key: Vec<u8> = bits
        .as_bytes()
        .chunks_exact(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let at = usize::from(tag.as_ref()[19] & 15);
    let word = u32::from_be_bytes(tag.as_ref()[at..at + 4].try_into().unwrap()) & 0x7FFF_FFFF;
    format!("{:06}", word % 1_000_000)
}
