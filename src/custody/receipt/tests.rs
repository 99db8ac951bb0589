use super::*;
use crate::{
    custody::testing::{NOW_MS, ORIGIN, OTHER_SHA, SHA, TestVault},
    domain::event::{Draft, Kind},
    ingest::judge::digest_mismatch,
    tlog::proof::TlogProof,
};

const PATH: &str = "000100012345_20260728_A0098877_WVID_01.mp4";

fn rendered(prepare: impl FnOnce(&TestVault) -> Draft) -> (TestVault, Receipt, String) {
    let mut vault = TestVault::new();
    let draft = prepare(&vault);
    let number = vault.commit(draft).index;
    vault.settle_log();
    let receipt = Receipt::load(&vault.log, vault.receipt_row(number)).unwrap();
    let text = String::from_utf8(receipt.text(Zone::default())).unwrap();
    assert!(text.starts_with('\u{feff}') && !text.replace("\r\n", "").contains(['\r', '\n']));
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    (vault, receipt, text)
}

/// The text between the upload's own facts and the log's, after checking those.
#[track_caller]
fn middle(text: &str, outcome: &str, word: &str) -> String {
    let so_far = if word == "WAITING" {
        " (至今收到 so far)"
    } else {
        ""
    };
    let head = format!(
        "\
MUNIMENT  回执 RECEIPT
========================================================================
结果 Outcome          {outcome} {word}
回执编号 Receipt no.  5
机构 Branch           0101
上传人 Uploader       zhang.san
公钥指纹 Key          SHA256:zhang.sanAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
文件 File             {PATH}
开始 Started          2026-07-28 15:41:02 +08:00
结束 Ended            2026-07-28 15:42:07 +08:00
大小 Size             209,715,200 字节 bytes (200.0 MiB)
SHA-256{so_far}
  9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
"
    );
    let foot = format!(
        "\
------------------------------------------------------------------------
日志位置 Log index    5
日志大小 Tree size    6
日志名称 Log origin   muniment.example/test
  本文件便于阅读；证明以同名 .json 与 .tlog-proof 为准，可离线核验：
  This text is for reading; the proof is in the .json and .tlog-proof
  beside it, to be checked offline:
  muniment-verify receipt \"{PATH}.{word}.json\" --key log.pub
"
    );
    let middle = text.strip_prefix(&head).and_then(|rest| rest.strip_suffix(&foot));
    middle
        .unwrap_or_else(|| panic!("the receipt is:\n{text}"))
        .to_owned()
}

#[track_caller]
fn assert_middle(text: &str, outcome: (&str, &str), expected: &str) {
    let found = middle(text, outcome.0, outcome.1);
    assert!(found == expected, "the receipt is:\n{text}");
}

fn sealed(vault: &TestVault) -> Draft {
    vault
        .upload(Kind::EvidenceSealed, "01k1acc", "zhang.san", PATH)
        .fact("evidence", "01k1ev")
        .fact("version", 2)
        .fact("previous", 3)
        .fact("category", "customer")
        .fact("doctype", "WVID")
        .fact("stored_size_bytes", 209_766_432)
        .fact("stored_blake3", OTHER_SHA)
        .fact("date", 20_260_728)
        .commit("customer", "000100012345")
        .commit("flow", "A0098877")
        .commit("seq", "1")
}

const SEALED: &str = "\
------------------------------------------------------------------------
证据编号 Evidence id  01k1ev
版本 Version          2
前一版本 Previous     第 1 版 version 1, 回执 receipt 3
客户 Customer         000100012345
流水号 Flow           A0098877
资料类型 Type         WVID (客户资料 customer)
序号 Sequence         1
业务日期 Date         2026-07-28
";

#[test]
fn accepted_as_declared() {
    let (_, _, text) = rendered(|vault| {
        sealed(vault)
            .fact("grade", "declared")
            .fact("chunk_root", OTHER_SHA)
    });
    let root = format!("分块根 Chunk root (RFC 6962, 1 MiB)\n  {OTHER_SHA}\n");
    assert!(text.contains(&root), "{text}");
    let expected = format!(
        "{SEALED}\
核对 Grade            已按申报核对 declared
  传输已按机构的申报核对。
  Transfer verified against the branch's declaration.
"
    );
    assert_middle(&text.replace(&root, ""), ("已接收", "ACCEPTED"), &expected);
}

#[test]
fn accepted_without_a_declaration_is_never_called_transfer_verified() {
    let (_, _, text) = rendered(|vault| sealed(vault).fact("grade", "server_only"));
    let expected = format!(
        "{SEALED}\
核对 Grade            仅服务器计算 server_only
  未申报：摘要由服务器在收到后计算，传输本身未经核对。
  Not declared: the transfer itself is not verified; the digest is the
  server's own, of what it received.
"
    );
    assert_middle(&text, ("已接收", "ACCEPTED"), &expected);
    assert!(!text.to_lowercase().contains("transfer verified"));
}

#[test]
fn rejected_with_both_digests() {
    let reason = digest_mismatch(&[1; 32], &[2; 32]);
    let (_, _, text) = rendered(|vault| {
        vault
            .upload(Kind::AccessionRejected, "01k1acc", "zhang.san", PATH)
            .fact("reason", reason.code)
            .private("reason_en", reason.en)
            .private("reason_zh", reason.zh)
    });
    let expected = "\
------------------------------------------------------------------------
原因 Reason           digest_mismatch
  收到的文件 SHA-256 为
  0202020202020202020202020202020202020202020202020202020202020202，与申
  报值 0101010101010101010101010101010101010101010101010101010101010101
  不一致：文件已改动或传输损坏。请从原件重新复制，核对申报文件后重新上传
  the bytes received have SHA-256
  0202020202020202020202020202020202020202020202020202020202020202, but
  0101010101010101010101010101010101010101010101010101010101010101 was
  declared: the file changed or was damaged on the way. Copy it again
  from the original, check the declaration, and upload both
留存编号 Kept as      01k1acc
  收到的 209,715,200 字节 (200.0 MiB) 已全部加密单独留存，没有丢失。
  All 209,715,200 bytes (200.0 MiB) received are kept aside, encrypted;
  nothing is lost.
";
    assert_middle(&text, ("已拒收", "REJECTED"), expected);
}

#[test]
fn waiting_says_until_when_and_how_to_go_on() {
    let (_, _, text) = rendered(|vault| {
        vault
            .upload(Kind::AccessionReceived, "01k1acc", "zhang.san", PATH)
            .fact("reason", "truncated")
            .fact("expires_ms", NOW_MS + 72 * 3_600_000)
            .private("reason_en", "the file ends early; resume the upload")
            .private("reason_zh", "文件不完整，请续传")
    });
    let expected = format!(
        "\
------------------------------------------------------------------------
原因 Reason           truncated
  文件不完整，请续传
  the file ends early; resume the upload
补全期限 Complete by  2026-07-31 15:42:07 +08:00
  已收到的内容已保存，期限内可续传；逾期将拒收，已收到的内容仍单独留存。
  What came so far is kept and can be resumed until then; after that it
  is rejected and kept aside, not lost.
续传方法 How to resume, to the same path:
  WinSCP  再次上传，选择「续传」 upload again, choose Resume
  sftp    reput \"<file>\" \"/inbox/{PATH}\"
  lftp    put -c \"<file>\" -o \"/inbox/{PATH}\"
  若原因是名称或缺少申报：请改名，或上传 manifest.csv / .sha256 申报。
  If the reason is the name or a missing declaration: rename it, or
  upload manifest.csv or .sha256.
"
    );
    assert_middle(&text, ("待补全", "WAITING"), &expected);
}

#[test]
fn a_duplicate_points_at_the_first_receipt() {
    let (_, _, text) = rendered(|vault| {
        vault
            .upload(Kind::AccessionDuplicate, "01k1acc", "zhang.san", PATH)
            .fact("of", 3)
            .fact("evidence", "01k1ev")
            .fact("version", 1)
    });
    let expected = "\
------------------------------------------------------------------------
证据编号 Evidence id  01k1ev
版本 Version          1
首次回执 First        3
  相同内容已封存，见回执 3；本次未新增版本，无需再次上传。
  The same bytes are sealed already under receipt 3; no version was
  added and nothing is left to do.
";
    assert_middle(&text, ("重复", "DUPLICATE"), expected);
}

#[test]
fn a_declaration_is_kept() {
    let (_, _, text) = rendered(|vault| {
        vault
            .upload(Kind::DeclarationReceived, "01k1acc", "zhang.san", PATH)
            .fact("form", "manifest")
            .fact("rows", 0)
            .private("rows", Vec::<Value>::new())
    });
    let expected = "\
------------------------------------------------------------------------
申报文件 Declaration  manifest
申报行数 Files named  0
  申报已留存；每个文件的核对结果见其自身回执。
  The declaration is kept; what it says of each file shows in that
  file's own receipt.
";
    assert_middle(&text, ("已接收", "ACCEPTED"), expected);
}

#[test]
fn a_late_declaration_agrees_or_shows_both_digests() {
    let late = |result: &'static str| {
        move |vault: &TestVault| {
            vault
                .upload(Kind::EvidenceDeclared, "01k1acc", "zhang.san", PATH)
                .fact("evidence", "01k1ev")
                .fact("version", 1)
                .fact("of", 3)
                .fact("result", result)
                .fact("declared_sha256", OTHER_SHA)
        }
    };
    let (_, _, text) = rendered(late("match"));
    let expected = "\
------------------------------------------------------------------------
证据编号 Evidence id  01k1ev
版本 Version          1
封存回执 Sealed as    3
核对 Grade            已按申报核对 declared
  传输已按机构的申报核对。
  Transfer verified against the branch's declaration.
";
    assert_middle(&text, ("已接收", "ACCEPTED"), expected);
    let (_, _, text) = rendered(|vault| {
        late("mismatch")(vault)
            .fact("reason", "digest_mismatch")
            .private("reason_en", "the file changed")
            .private("reason_zh", "文件已改动")
    });
    let expected = format!(
        "\
------------------------------------------------------------------------
证据编号 Evidence id  01k1ev
版本 Version          1
封存回执 Sealed as    3
申报值 Declared SHA-256
  {OTHER_SHA}
原因 Reason           digest_mismatch
  文件已改动
  the file changed
核对 Grade            仅服务器计算 server_only
  申报与封存内容不一致，传输未通过核对。
  The declaration disagrees with what is sealed: the transfer is not
  verified.
  回执 3 所封存的内容保持不变，没有丢失。
  What receipt 3 sealed stays as it is; nothing is lost.
"
    );
    assert_middle(&text, ("已拒收", "REJECTED"), &expected);
}

#[test]
fn proof_and_json_verify_with_the_public_key_alone_and_are_the_same_bytes_later() {
    let mut vault = TestVault::new();
    let number = vault.commit(sealed(&vault).fact("grade", "declared")).index;
    let row = vault.receipt_row(number);
    // Past the end of a full tile: the leaf comes from the bundle on disk, the edge of the commit is gone.
    let before = Receipt::load(&vault.log, row.clone()).unwrap();
    let text = before.text(Zone::default());
    for at in 0..600 {
        vault.commit(Draft::new(Kind::FixityChecked, format!("f{at}"), "operator").fact("objects", at));
    }
    vault.settle_log();
    let receipt = Receipt::load(&vault.log, row.clone()).unwrap();
    assert_eq!(receipt.text(Zone::default()), text);
    assert_eq!(receipt.json(), before.json());

    let proof = receipt.proof(&vault.log).unwrap();
    assert_eq!(proof, receipt.proof(&vault.log).unwrap());
    let proof = TlogProof::parse(&proof).unwrap();
    let opened = proof.verify(receipt.json(), vault.log.verifier(), &[]).unwrap();
    assert_eq!(
        (opened.checkpoint.size, opened.checkpoint.origin.as_str()),
        (row.commit_size, ORIGIN)
    );
    let leaf: Leaf = serde_json::from_slice(receipt.json()).unwrap();
    let extra: Value = serde_json::from_slice(&proof.extra).unwrap();
    let openings: Openings = serde_json::from_value(extra["openings"].clone()).unwrap();
    assert_eq!(
        openings.keys().collect::<Vec<_>>(),
        ["customer", "flow", "path", "seq"]
    );
    for (field, opening) in &openings {
        assert!(opening.verify(field, &leaf.commit[field]), "{field}");
    }
    assert!(proof.extra.starts_with(br#"{"openings":{"customer":{"salt":""#));
    assert_eq!(extra.as_object().unwrap().len(), 1);
}

#[test]
fn file_names_lead_back_and_fit_a_file_system() {
    let (vault, _, _) = rendered(|vault| sealed(vault).fact("grade", "declared"));
    let mut row = vault.receipt_row(5);
    let shown: Vec<String> = Form::ALL.iter().map(|form| file_name(&row, *form)).collect();
    let expected = ["json", "tlog-proof", "txt"].map(|suffix| format!("{PATH}.ACCEPTED.{suffix}"));
    assert_eq!(shown, expected);
    assert_eq!(parse_file_name(&shown[1]), Some((PATH, "ACCEPTED", Form::Proof)));
    for bad in [
        "",
        "x",
        ".ACCEPTED.txt",
        "x.txt",
        "x.ACCEPTED.pdf",
        "x.ACCEPTEDtxt",
    ] {
        assert_eq!(parse_file_name(bad), None, "{bad}");
    }
    row.name = "客".repeat(85);
    for form in Form::ALL {
        let name = file_name(&row, form);
        assert!(name.len() <= 255 && name.contains("~5.ACCEPTED."), "{name}");
    }
}

#[test]
fn a_day_in_a_table() {
    let (_, receipt, _) = rendered(|vault| sealed(vault).fact("grade", "declared"));
    let (_, rejected, _) = rendered(|vault| {
        vault
            .upload(
                Kind::AccessionRejected,
                "01k1acc",
                "zhang.san",
                "=cmd|'/c calc'!A1,x.mp4",
            )
            .fact("reason", "name")
            .private("reason_zh", "文件名\"不对\"")
    });
    let lines = [receipt, rejected].map(|receipt| summary_line(&receipt, Zone::default()));
    let table = String::from_utf8(summary_csv(lines.iter().map(String::as_str))).unwrap();
    let expected = format!(
        "\u{feff}时间 Time,回执编号 Receipt,结果 Outcome,文件 File,大小 Size bytes,SHA-256,客户 Customer,\
         流水号 Flow,资料类型 Type,序号 Sequence,版本 Version,核对 Grade,上传人 Uploader,原因代码 Reason code,\
         原因 Reason\r\n\
         2026-07-28 15:42:07 +08:00,5,ACCEPTED,{PATH},209715200,{SHA},000100012345,A0098877,WVID,1,2,declared,\
         zhang.san,,\r\n\
         2026-07-28 15:42:07 +08:00,5,REJECTED,\"'=cmd|'/c calc'!A1,x.mp4\",209715200,{SHA},,,,,,,\
         zhang.san,name,\"文件名\"\"不对\"\"\"\r\n"
    );
    assert_eq!(table, expected);
}

mod inspected;
