//! Receipts of what was inspected: sealed, in need of review, rejected, and looked at again in the background.

use super::*;
use crate::{
    domain::doctype::{DEFAULT_TABLE, DocumentTypes},
    inspect::{
        outcome::Inspection,
        policy,
        report::{Audio, Fault, FaultCode, Media, Page, Report, Scan, Stretch, Stretches, Tier, Video},
    },
};

fn recording(tier: Tier) -> Report {
    let mut report = Report::new("muniment-inspector 0.1.0", tier, "mp4", 209_715_200);
    report.media = Some(Media {
        declared_ms: Some(750_000),
        measured_ms: 750_000,
        video: vec![Video {
            codec: "h264".to_owned(),
            width: 1280,
            height: 720,
            frame_rate_milli: 25_000,
            duration_ms: 750_000,
            packets: 18_750,
            ..Video::default()
        }],
        audio: vec![Audio {
            codec: "aac".to_owned(),
            sample_rate_hz: 48_000,
            channels: 2,
            duration_ms: 750_000,
            packets: 35_000,
            ..Audio::default()
        }],
        ..Media::default()
    });
    report
}

fn judged(report: Report, doctype: &str) -> Inspection {
    let types = DocumentTypes::from_toml(DEFAULT_TABLE).unwrap().published_as(3);
    Inspection {
        findings: policy::judge(&report, types.find(doctype).unwrap()),
        report: Some(report),
        types_version: 3,
    }
}

#[test]
fn accepted_says_what_was_looked_at_and_what_is_to_come() {
    let inspection = judged(recording(Tier::Gate), "WVID");
    let (_, _, text) =
        rendered(|vault| inspection.write(sealed(vault).fact("grade", "declared").fact("deep", "due")));
    let expected = format!(
        "{SEALED}\
核对 Grade            已按申报核对 declared
  传输已按机构的申报核对。
  Transfer verified against the branch's declaration.
检查结论 Verdict      合格 accepted
检查内容 Looked at    mp4, 12:30, 1280x720 h264 25 fps, aac 48 kHz 2 ch
资料类型表 Rules      第 3 版 document types version 3
  未发现问题。
  Nothing is held against it.
  后台将对全部内容解码检查；如发现问题，将另发回执。
  All of it is decoded in the background; if that finds something,
  another receipt says so.
"
    );
    assert_middle(&text, ("已接收", "ACCEPTED"), &expected);
}

#[test]
fn needs_review_says_what_where_and_how_to_mend_it() {
    let mut report = Report::new("muniment-scan-inspector 0.1.0", Tier::Gate, "pdf", 409_600);
    let page = Page {
        width_px: 2480,
        height_px: 3508,
        dpi: Some(300),
        ..Page::default()
    };
    let blank = Page {
        blank: true,
        ..page.clone()
    };
    let coarse = Page {
        dpi: Some(150),
        ..page.clone()
    };
    report.scan = Some(Scan {
        page_count: 3,
        pages: vec![page, blank, coarse],
        created: None,
    });
    let inspection = judged(report, "AGR");
    let (_, receipt, text) = rendered(|vault| inspection.write(sealed(vault).fact("grade", "declared")));
    let expected = format!(
        "{SEALED}\
核对 Grade            已按申报核对 declared
  传输已按机构的申报核对。
  Transfer verified against the branch's declaration.
检查结论 Verdict      需人工复核 needs_review
检查内容 Looked at    pdf, 3 页 pages, 150-300 dpi
资料类型表 Rules      第 3 版 document types version 3

发现 Finding 1        dpi_low (复核 review)
  位置 Where          page 3
  实际 Found          150 dpi
  要求 Expected       ≥ 200 dpi
  扫描分辨率过低。请将扫描仪设为 300 dpi 重新扫描后上传。
  It was scanned with too few dots per inch. Set the scanner to 300 dpi,
  scan again, and upload the new file.

发现 Finding 2        blank_page (复核 review)
  位置 Where          page 2
  实际 Found          blank
  页面为空白。请检查纸张正反面是否放对；如有缺失，请重新扫描。
  There is nothing to see on the page. Check that the paper lay the
  right way up in the scanner; scan again if something is missing.

  内容已封存，不会丢失；须由复核人员查看后决定。如可按上述方法改正，请尽
  快重新上传（将成为新版本）。
  It is sealed and can't be lost; a reviewer must look at it and
  decides. If you can mend it as said above, upload it again soon: that
  becomes a new version.
"
    );
    assert_middle(&text, ("待复核", "NEEDS_REVIEW"), &expected);
    let line = summary_line(&receipt, Zone::default());
    assert!(
        line.contains(",NEEDS_REVIEW,") && line.contains(",dpi_low blank_page,扫描分辨率过低。"),
        "{line}"
    );
}

#[test]
fn rejected_by_an_inspection_lists_every_finding_once() {
    let mut report = recording(Tier::Gate);
    report.fault(Fault::new(FaultCode::Truncated, "mdat ends 1,048,576 bytes early").at_ms(712_000));
    report.media.as_mut().unwrap().audio.clear();
    let inspection = judged(report, "WVID");
    let reason = policy::reason(&inspection.findings);
    let (_, receipt, text) = rendered(|vault| {
        let draft = vault
            .upload(Kind::AccessionRejected, "01k1acc", "zhang.san", PATH)
            .fact("reason", reason.code)
            .private("reason_en", reason.en)
            .private("reason_zh", reason.zh);
        inspection.write(draft)
    });
    let expected = "\
------------------------------------------------------------------------
原因 Reason           truncated
检查结论 Verdict      不合格 rejected
检查内容 Looked at    mp4, 12:30, 1280x720 h264 25 fps
资料类型表 Rules      第 3 版 document types version 3

发现 Finding 1        truncated (拒收 reject)
  位置 Where          11:52
  实际 Found          mdat ends 1,048,576 bytes early
  文件不完整，提前结束：录制、扫描或复制过程中断。请从摄像机或存储卡重新
  复制，完整播放确认无误后重新上传。
  The file ends before it should: recording, scanning or copying broke
  off. Copy it again from the camera or its card, play it to the end,
  and upload it again.

发现 Finding 2        no_audio (拒收 reject)
  实际 Found          0 audio streams
  要求 Expected       ≥ 1
  录像没有声音。请打开麦克风，先试录确认有声音，趁客户在场重新录制。
  The recording has no sound. Switch the microphone on, make a short
  test, and record again while the customer is still here.

留存编号 Kept as      01k1acc
  收到的 209,715,200 字节 (200.0 MiB) 已全部加密单独留存，没有丢失。
  All 209,715,200 bytes (200.0 MiB) received are kept aside, encrypted;
  nothing is lost.
";
    assert_middle(&text, ("已拒收", "REJECTED"), expected);
    let line = summary_line(&receipt, Zone::default());
    assert!(line.contains(",truncated no_audio,文件不完整"), "{line}");
}

#[test]
fn a_background_inspection_points_at_what_was_sealed() {
    let mut report = recording(Tier::Deep);
    report.media.as_mut().unwrap().deep.get_or_insert_default().frozen = Stretches {
        total_ms: 300_000,
        first: vec![Stretch {
            from_ms: 10_000,
            to_ms: 310_000,
        }],
    };
    let inspection = judged(report, "WVID");
    let mut vault = TestVault::new();
    let first = vault.commit(sealed(&vault).fact("grade", "declared")).index;
    let draft = vault
        .upload(Kind::EvidenceInspected, "01k1insp", "zhang.san", PATH)
        .fact("evidence", "01k1ev")
        .fact("version", 2)
        .fact("of", first)
        .fact("tier", "deep")
        .fact("due", first);
    let number = vault.commit(inspection.write(draft)).index;
    vault.settle_log();
    let receipt = Receipt::load(&vault.log, vault.receipt_row(number)).unwrap();
    let text = String::from_utf8(receipt.text(Zone::default()))
        .unwrap()
        .replace("\r\n", "\n");
    let expected = "\
证据编号 Evidence id  01k1ev
版本 Version          2
封存回执 Sealed as    5
  对回执 5 所封存内容的后台完整检查；原件保持不变。
  The background inspection of what receipt 5 sealed; the original stays
  as it is.
检查结论 Verdict      需人工复核 needs_review
检查内容 Looked at    mp4, 12:30, 1280x720 h264 25 fps, aac 48 kHz 2 ch
资料类型表 Rules      第 3 版 document types version 3

发现 Finding 1        frozen (复核 review)
  位置 Where          00:10-05:10
  实际 Found          40 % (05:00 of 12:30)
  要求 Expected       ≤ 33 %
  画面静止时间过长。请检查摄像机及其连接；若关键过程看不到，请重新录制。
";
    assert!(text.contains(expected), "the receipt is:\n{text}");
    assert!(text.contains("待复核 NEEDS_REVIEW"), "{text}");
}

#[test]
fn an_inspection_that_cannot_be_read_still_shows_the_leafs_words() {
    let (_, receipt, text) = rendered(|vault| {
        sealed(vault)
            .fact("grade", "declared")
            .fact("verdict", "needs_review")
            .fact("findings", vec!["of_a_later_release"])
            .fact("types_version", 9)
            .private(
                "inspection",
                serde_json::json!({ "findings": [{ "shape": "unknown" }], "report": 7 }),
            )
    });
    assert!(
        text.contains("发现 Findings         of_a_later_release"),
        "{text}"
    );
    assert!(text.contains("需人工复核 needs_review") && text.contains("version 9"));
    assert!(receipt.brief().is_none());
    // A strange report makes a strange line, not a failure.
    let (_, _, text) = rendered(|vault| {
        let odd = serde_json::json!({ "findings": [], "report": { "media": { "video": 3, "measured_ms": -1 }, "scan": [], "bundle": {} } });
        sealed(vault)
            .fact("grade", "declared")
            .fact("verdict", "accepted")
            .fact("findings", Vec::<String>::new())
            .fact("types_version", 9)
            .private("inspection", odd)
    });
    assert!(text.contains("Nothing is held against it."));
}
