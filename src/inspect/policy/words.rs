//! What a clerk is told about each finding: what is wrong and how to mend it, in English and in Chinese.
//!
//! Whole sentences without values: what was found, what was expected and where stand beside them in the finding.

use crate::domain::{doctype::Kind, finding::Code};

/// How to get a good file of a kind again.
struct Again {
    /// After damage on the way or on the card.
    copy: (&'static str, &'static str),
    /// When the file itself was made wrong.
    make: (&'static str, &'static str),
}

/// The sentences for a code; without a kind in words that fit any file.
pub(super) fn of(code: Code, kind: Option<Kind>) -> (String, String) {
    let again = again(kind);
    let (en, zh, mend) = what(code, kind);
    let (mend_en, mend_zh) = match mend {
        Mend::Copy => again.copy,
        Mend::Make => again.make,
        Mend::So(en, zh) => (en, zh),
    };
    (format!("{en} {mend_en}"), format!("{zh}{mend_zh}"))
}

/// How a finding is mended.
enum Mend {
    /// The original is better than what arrived: copy it again.
    Copy,
    /// The original itself is the trouble: make it again.
    Make,
    /// In its own way.
    So(&'static str, &'static str),
}

fn again(kind: Option<Kind>) -> Again {
    match kind {
        Some(Kind::Recording) => Again {
            copy: (
                "Copy it again from the camera or its card, play it to the end, and upload it again.",
                "请从摄像机或存储卡重新复制，完整播放确认无误后重新上传。",
            ),
            make: (
                "If the camera's own file is the same, record again while the customer is still here.",
                "若摄像机内的原文件也是如此，请趁客户在场重新录制。",
            ),
        },
        Some(Kind::Audio) => Again {
            copy: (
                "Copy it again from the recorder, listen to it to the end, and upload it again.",
                "请从录音设备重新复制，完整试听确认无误后重新上传。",
            ),
            make: (
                "If the recorder's own file is the same, record again while the customer is still here.",
                "若录音设备内的原文件也是如此，请趁客户在场重新录制。",
            ),
        },
        Some(Kind::Scan) => Again {
            copy: (
                "Open the original on the scanning computer, scan again if it looks the same there, and upload it again.",
                "请在扫描电脑上打开原文件核对，如有同样问题请重新扫描，然后重新上传。",
            ),
            make: (
                "Scan it again from paper and upload the new file.",
                "请用纸质原件重新扫描后上传。",
            ),
        },
        Some(Kind::Bundle) => Again {
            copy: (
                "Check the named files on your computer, make the zip again, and upload it again.",
                "请在本机核对所列文件，重新打包为 zip 后上传。",
            ),
            make: (
                "Scan or record the named files again, make the zip again, and upload it again.",
                "请将所列文件重新扫描或录制，重新打包后上传。",
            ),
        },
        None => Again {
            copy: (
                "Check it on your computer, copy it again from the original, and upload it again.",
                "请在本机核对，从原件重新复制后上传。",
            ),
            make: ("Make it again and upload the new file.", "请重新制作后上传。"),
        },
    }
}

fn what(code: Code, kind: Option<Kind>) -> (&'static str, &'static str, Mend) {
    use Mend::{Copy, Make, So};
    let sound = matches!(kind, Some(Kind::Recording | Kind::Audio));
    match code {
        Code::Unreadable => (
            "The file can't be read: it isn't of any format that is taken, or its beginning is damaged.",
            "文件无法读取：不是可接受的格式，或文件开头已损坏。",
            Copy,
        ),
        Code::WrongExtension => (
            "The content isn't what the file name's extension says.",
            "文件内容与扩展名不符。",
            So(
                "Don't rename files from one format to another: export it again in the format you name it by, and upload that.",
                "请勿直接修改扩展名：请用软件另存或导出为相应格式，再上传。",
            ),
        ),
        Code::Truncated => (
            "The file ends before it should: recording, scanning or copying broke off.",
            "文件不完整，提前结束：录制、扫描或复制过程中断。",
            Copy,
        ),
        Code::IndexMissing => (
            "The file's index is missing, which is written when a recording or export is finished properly.",
            "文件缺少索引：录制或导出未正常结束。",
            if sound {
                So(
                    "Stop the recording on the camera and wait until it is saved before taking the card out, or export the video as MP4 again, and upload that.",
                    "请在摄像机上正常停止录制并等待保存完成后再取卡，或用软件重新导出为 MP4，再上传。",
                )
            } else {
                Copy
            },
        ),
        Code::DataMissing => (
            "Parts inside the file are missing or overwritten.",
            "文件内部有数据缺失或被覆盖。",
            Copy,
        ),
        Code::TimelineGap => (
            "Time jumps or stands still inside the recording, so something may be missing there.",
            "录像时间轴有跳变或中断，该处内容可能缺失。",
            So(
                "Play it at the times named; if something is missing, copy it again from the camera or record again.",
                "请播放所列时间点核对；如有缺失，请从摄像机重新复制或重新录制。",
            ),
        ),
        Code::DecodeError => (
            "Picture or sound is damaged in places.",
            "画面或声音有局部损坏。",
            So(
                "Play it at the places named; if it can't be made out there, copy it again from the original or make it again.",
                "请在所列位置播放或查看；如无法辨认，请从原件重新复制或重新制作。",
            ),
        ),
        Code::Undecodable => (
            "It can't be shown at all at the places named.",
            "所列位置的内容完全无法显示。",
            Copy,
        ),
        Code::TrailingBytes => (
            "There is more data after the end of the content.",
            "内容结束之后还有多余数据。",
            So(
                "If the file went through another program, upload the file as the camera or scanner made it.",
                "若文件经过其他软件处理，请上传摄像机或扫描仪生成的原始文件。",
            ),
        ),
        Code::Encrypted => (
            "The file is protected by a password, so nobody could read it in twenty years.",
            "文件设有密码保护，将来无法查阅。",
            So(
                "Remove the password, save it again, and upload that.",
                "请取消密码后另存，再上传。",
            ),
        ),
        Code::ActiveContent => (
            "The PDF carries scripts or actions that run when it is opened.",
            "PDF 含有脚本或打开时自动执行的动作。",
            So(
                "Print it to a plain PDF or scan the paper, and upload that.",
                "请打印为普通 PDF 或扫描纸质件后上传。",
            ),
        ),
        Code::Attachments => (
            "The PDF carries other files inside.",
            "PDF 内嵌有其他文件。",
            So(
                "Save the files on their own and upload each under its own name, and the PDF without them.",
                "请将内嵌文件另存并分别命名上传，PDF 去除附件后上传。",
            ),
        ),
        Code::ArchiveBomb => (
            "The zip expands to far more than it may.",
            "压缩包解压后的大小远超限制。",
            So(
                "Make the zip again from the original scans and recordings only, or split it into several.",
                "请仅用原始扫描件和录像重新打包，或分成多个压缩包。",
            ),
        ),
        Code::ArchivePath => (
            "A file in the zip has a path that leads out of the zip or characters that aren't allowed.",
            "压缩包内文件的路径不安全或含有不允许的字符。",
            So(
                "Zip the folder itself with plain file names, and upload that.",
                "请使用普通文件名，直接压缩所在文件夹后上传。",
            ),
        ),
        Code::ArchiveLink => (
            "The zip contains a link instead of a file.",
            "压缩包内含有链接而不是文件本身。",
            So(
                "Put the files themselves into the zip, and upload it again.",
                "请将文件本身放入压缩包后重新上传。",
            ),
        ),
        Code::ArchiveNested => (
            "The zip contains another archive.",
            "压缩包内还有压缩包。",
            So(
                "Unpack the inner one and make one zip of all files.",
                "请先解压内层压缩包，再将全部文件打成一个 zip。",
            ),
        ),
        Code::ArchiveDuplicate => (
            "Two files in the zip have the same name.",
            "压缩包内有同名文件。",
            So(
                "Give each file its own name and make the zip again.",
                "请为每个文件使用不同的名称，重新打包后上传。",
            ),
        ),
        Code::ArchiveDamaged => (
            "The zip contradicts itself: its list of files doesn't agree with its content.",
            "压缩包结构有矛盾：目录与内容不一致。",
            So(
                "Make the zip again with the system's own function and upload it again.",
                "请用系统自带的压缩功能重新打包后上传。",
            ),
        ),
        Code::MemberUnknown => (
            "The zip contains files that can't be inspected.",
            "压缩包内有无法检查的文件。",
            So(
                "Leave out what doesn't belong to the records; convert documents to PDF first.",
                "请移除与资料无关的文件；文档请先转换为 PDF。",
            ),
        ),
        Code::LimitExceeded => (
            "There is more in the file than is inspected.",
            "文件内容超出检查上限，未能全部检查。",
            So(
                "Split it into several files where you can; else a reviewer looks at it.",
                "如可能请拆分为多个文件上传；否则由复核人员查看。",
            ),
        ),
        Code::Unsupported => (
            "The file is of a rare variety that can't be inspected here.",
            "文件属于少见的格式变体，无法自动检查。",
            So(
                "Export video as MP4 (H.264, AAC), scans as JPEG, TIFF or PDF, and upload that; else a reviewer looks at it.",
                "视频请导出为 MP4（H.264、AAC），扫描件请存为 JPEG、TIFF 或 PDF 后上传；否则由复核人员查看。",
            ),
        ),
        Code::Empty => ("There is nothing in the file.", "文件为空。", Copy),
        Code::NoVideo => (
            "The recording has no picture.",
            "录像没有画面。",
            So(
                "Upload the video, not the sound alone; if the camera recorded no picture, record again.",
                "请上传视频文件而不是单独的音频；若摄像机未录到画面，请重新录制。",
            ),
        ),
        Code::NoAudio => (
            "The recording has no sound.",
            "录像没有声音。",
            So(
                "Switch the microphone on, make a short test, and record again while the customer is still here.",
                "请打开麦克风，先试录确认有声音，趁客户在场重新录制。",
            ),
        ),
        Code::TooShort => (
            "The recording is shorter than this document type needs.",
            "录制时长低于该类资料的要求。",
            So(
                "Check that it is the right file and that the whole session was recorded; if not, record again.",
                "请核对是否选错文件、是否录下全过程；否则请重新录制。",
            ),
        ),
        Code::TooLong => (
            "The recording is longer than this document type should be.",
            "录制时长超过该类资料的规定。",
            So(
                "Check that it is the right file and that the camera was stopped; a reviewer looks at it. Don't cut it.",
                "请核对是否选错文件、是否忘记停止录制；由复核人员查看。请勿剪辑。",
            ),
        ),
        Code::TooSmall => (
            "The file has fewer bytes than a document of this type can have.",
            "文件过小，不像该类资料的正常文件。",
            Copy,
        ),
        Code::ResolutionLow => (
            "The video has too few pixels to recognise people and documents.",
            "视频分辨率过低，难以辨认人员和证件。",
            So(
                "Upload the camera's own file rather than one sent by a chat program; set the camera to 720p or more.",
                "请上传摄像机原始文件，不要使用经聊天软件压缩的文件；并将摄像机设为 720p 或以上。",
            ),
        ),
        Code::FrameRateLow => (
            "The video has too few frames a second to follow what happens.",
            "视频帧率过低，动作不连贯。",
            So(
                "Set the camera to 25 frames a second, and upload its own file; else record again.",
                "请将摄像机设为每秒 25 帧并上传其原始文件；否则请重新录制。",
            ),
        ),
        Code::DurationMismatch => (
            "The lengths of the file, its picture and its sound don't agree: one of them ends early.",
            "文件、画面和声音的时长不一致：其中一项提前结束。",
            Copy,
        ),
        Code::Black => (
            "The picture is black for too long.",
            "黑屏时间过长。",
            So(
                "Check the lens cap and the light; record again if what matters can't be seen.",
                "请检查镜头盖和光线；若关键过程看不到，请重新录制。",
            ),
        ),
        Code::Frozen => (
            "The picture doesn't move for too long.",
            "画面静止时间过长。",
            So(
                "Check the camera and its connection; record again if what matters can't be seen.",
                "请检查摄像机及其连接；若关键过程看不到，请重新录制。",
            ),
        ),
        Code::Underexposed => (
            "The picture is too dark for too long.",
            "画面过暗时间过长。",
            So(
                "Switch on more light or turn the camera away from the window; record again if faces can't be made out.",
                "请增加照明或避免逆光；若看不清面部，请重新录制。",
            ),
        ),
        Code::Overexposed => (
            "The picture is too bright for too long.",
            "画面过亮时间过长。",
            So(
                "Turn the camera away from the light; record again if faces can't be made out.",
                "请避免强光直射镜头；若看不清面部，请重新录制。",
            ),
        ),
        Code::Silent => (
            "There is no sound for too long.",
            "静音时间过长。",
            So(
                "Check the microphone; record again with it on if what was said can't be heard.",
                "请检查麦克风；若听不到谈话内容，请打开麦克风重新录制。",
            ),
        ),
        Code::Clipped => (
            "The sound is overdriven.",
            "声音过载失真。",
            So(
                "Turn the microphone's level down or move it further away; record again if speech can't be understood.",
                "请降低麦克风音量或拉开距离；若听不清谈话内容，请重新录制。",
            ),
        ),
        Code::LoudnessLow => (
            "The sound is very quiet.",
            "声音过小。",
            So(
                "Move the microphone closer or turn its level up; record again if speech can't be understood.",
                "请靠近麦克风或调高音量；若听不清谈话内容，请重新录制。",
            ),
        ),
        Code::DpiLow => (
            "It was scanned with too few dots per inch.",
            "扫描分辨率过低。",
            So(
                "Set the scanner to 300 dpi, scan again, and upload the new file.",
                "请将扫描仪设为 300 dpi 重新扫描后上传。",
            ),
        ),
        Code::DpiUnknown => (
            "The file doesn't say at how many dots per inch it was scanned.",
            "文件未注明扫描分辨率。",
            So(
                "Nothing needs to be done if it is legible; scanners set to 300 dpi write it into the file.",
                "内容清晰则无需处理；建议用扫描仪以 300 dpi 扫描。",
            ),
        ),
        Code::PixelsLow => (
            "The page has too few pixels to be legible.",
            "页面像素过低，难以看清。",
            So(
                "Scan at 300 dpi, or take the picture closer, and upload the file as it was made, not one sent by a chat program.",
                "请以 300 dpi 扫描，或靠近拍摄，并上传原始文件，不要使用经聊天软件压缩的文件。",
            ),
        ),
        Code::BlankPage => (
            "There is nothing to see on the page.",
            "页面为空白。",
            So(
                "Check that the paper lay the right way up in the scanner; scan again if something is missing.",
                "请检查纸张正反面是否放对；如有缺失，请重新扫描。",
            ),
        ),
        Code::Rotated => (
            "The page is stored on its side or upside down; viewers turn it.",
            "页面以横置或倒置方式存储，查看时自动旋转。",
            So(
                "Nothing needs to be done if it is shown upright.",
                "显示方向正确则无需处理。",
            ),
        ),
        Code::TooManyPages => (
            "There are more pages than a document of this type should have.",
            "页数超过该类资料的规定。",
            So(
                "Check that only one document was scanned into it; upload others under their own names.",
                "请核对是否混入其他资料；其他资料请单独命名上传。",
            ),
        ),
        Code::TooFewPages => (
            "Pages are missing: there are fewer than a document of this type has.",
            "页数少于该类资料的要求，可能缺页。",
            Make,
        ),
        Code::InspectionFailed => (
            "The file couldn't be inspected automatically; it may be damaged in an unusual way.",
            "文件无法自动检查，可能存在异常损坏。",
            So(
                "A reviewer looks at it; play or open it to the end yourself, and upload a better copy if it doesn't work.",
                "将由复核人员查看；请自行完整播放或打开核对，如有问题请上传完好的文件。",
            ),
        ),
        Code::Malware => (
            "The malware scanner found something harmful in it.",
            "恶意软件扫描发现有害内容。",
            So(
                "Tell IT, have the computer and the card scanned, and upload a clean file.",
                "请通知信息技术部门，对电脑和存储卡进行查杀后，上传无毒的文件。",
            ),
        ),
        Code::MalwareNotScanned => (
            "The file is beyond a limit of the malware scanner (size, files inside, time), so it wasn't scanned wholly.",
            "文件超出恶意软件扫描的限制（大小、内含文件数或时间），未能完整扫描。",
            So(
                "Nothing needs to be done at the branch; a reviewer decides.",
                "营业部无需处理，由复核人员决定。",
            ),
        ),
    }
}
