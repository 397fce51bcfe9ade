//! Azure Linux and CBL-Mariner: OVAL definitions, and the tests, objects and states they refer to.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use super::noise::{Noise, package_name};
use super::{FeedSize, Mirror, Written};

/// Each file with the end of its packages' versions.
const FILES: [(&str, &str); 3] =
    [("cbl-mariner-1.0", "cm1"), ("cbl-mariner-2.0", "cm2"), ("azurelinux-3.0", "azl3")];

/// Where the ids of a file begin.
const ID: &str = "oval:org.example.generated";

const HEAD: &str = r#"<oval_definitions xmlns="http://oval.mitre.org/XMLSchema/oval-definitions-5" xmlns:oval="http://oval.mitre.org/XMLSchema/oval-common-5" xmlns:linux-def="http://oval.mitre.org/XMLSchema/oval-definitions-5#linux">
  <generator>
    <oval:product_name>A generator</oval:product_name>
    <oval:schema_version>5.11</oval:schema_version>
    <oval:timestamp>2026-08-20T10:00:00Z</oval:timestamp>
  </generator>
"#;

pub(super) fn write(mirror: &Mirror<'_>) -> io::Result<FeedSize> {
    let mut size = FeedSize { feed: "azurelinux", ..FeedSize::default() };
    for (name, ending) in FILES {
        let path = format!(
            "raw.githubusercontent.com/microsoft/AzureLinuxVulnerabilityData/main/{name}-oval.xml"
        );
        mirror.file(&mut size, &path, |file| {
            let text = definitions(mirror, name, ending);
            file.write_all(text.as_bytes())?;
            let record_count = mirror.sizes.azurelinux;
            Ok(Written { record_count, plain_bytes: text.len() as u64 })
        })?;
    }
    Ok(size)
}

fn definitions(mirror: &Mirror<'_>, name: &str, ending: &str) -> String {
    let mut noise = Noise::new(mirror.seed, name);
    let count = mirror.sizes.azurelinux;
    let [mut definitions, mut tests, mut objects, mut states] = [const { String::new() }; 4];
    for number in 0..count {
        let cve = mirror.cves.name(mirror.cves.spread(number, count));
        let package = package_name(noise.skewed(700));
        let version = format!("{}-{}", noise.version(), 1 + noise.below(12));
        let severity = noise.pick(&["Low", "Medium", "High", "Critical"]);
        let title = format!("{cve} affecting package {package} for versions less than {version}");
        let date = noise.time();
        let _ = writeln!(
            definitions,
            r#"    <definition class="vulnerability" id="{ID}:def:{number}" version="1">
      <metadata>
        <title>{title}</title>
        <affected family="unix">
          <platform>{name}</platform>
        </affected>
        <reference ref_id="{cve}" ref_url="https://cve.example.org/{cve}" source="CVE"/>
        <patchable>true</patchable>
        <advisory_date>{date}</advisory_date>
        <advisory_id>{number}-1</advisory_id>
        <severity>{severity}</severity>
        <description>{title}. A patched version of the package is available.</description>
      </metadata>
      <criteria operator="AND">
        <criterion comment="{title}" test_ref="{ID}:tst:{number}000"/>
      </criteria>
    </definition>"#
        );
        let _ = writeln!(
            tests,
            r#"    <linux-def:rpminfo_test id="{ID}:tst:{number}000" check="all" version="1">
      <linux-def:object object_ref="{ID}:obj:{number}001"/>
      <linux-def:state state_ref="{ID}:ste:{number}002"/>
    </linux-def:rpminfo_test>"#
        );
        let _ = writeln!(
            objects,
            r#"    <linux-def:rpminfo_object id="{ID}:obj:{number}001" version="1">
      <linux-def:name>{package}</linux-def:name>
    </linux-def:rpminfo_object>"#
        );
        let evr = format!("0:{version}.{ending}");
        let _ = writeln!(
            states,
            r#"    <linux-def:rpminfo_state id="{ID}:ste:{number}002" version="1">
      <linux-def:evr datatype="evr_string" operation="less than">{evr}</linux-def:evr>
    </linux-def:rpminfo_state>"#
        );
    }
    format!(
        "{HEAD}  <definitions>\n{definitions}  </definitions>\n  <tests>\n{tests}  </tests>\n  \
         <objects>\n{objects}  </objects>\n  <states>\n{states}  </states>\n</oval_definitions>\n"
    )
}
