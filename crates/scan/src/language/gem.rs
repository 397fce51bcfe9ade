//! Reads RubyGems' specifications of installed gems.
//!
//! A gem is installed when its specification lies in a `specifications` folder; Ruby's own default
//! gems lie in `specifications/default`. The file is Ruby code, always written by RubyGems itself:
//! its third line or so is a stub comment with name, version and platform, made to be read without
//! running the rest; older files are read by their `s.name` and `s.version` lines. The platform is
//! no part of the version, as in `Gem::Version`.

use std::io::Read as _;

use pratique_model::Ecosystem;

use super::split_path;
use crate::cataloger::{CatalogError, Cataloger, Content, Evidence, FileInfo, Found};

/// How much of a specification is read; name and version stand before the lists of files.
const SPECIFICATION_BYTES_MAX: u64 = 64 << 10;

/// Finds installed gems.
pub(crate) struct Gem;

impl Cataloger for Gem {
    fn name(&self) -> &'static str {
        "gem"
    }

    fn version(&self) -> u32 {
        1
    }

    fn evidence(&self) -> &'static [&'static str] {
        &["**/specifications/*.gemspec", "**/specifications/default/*.gemspec"]
    }

    fn wants(&self, file: &FileInfo<'_>) -> bool {
        let (folder, name) = split_path(file.path);
        let folder = folder.strip_suffix("/default").unwrap_or(folder);
        name.ends_with(".gemspec")
            && (folder == "specifications" || folder.ends_with("/specifications"))
    }

    fn catalog(
        &self,
        _file: &FileInfo<'_>,
        mut content: Content<'_>,
        found: &mut Found,
    ) -> Result<(), CatalogError> {
        let mut bytes = Vec::new();
        content.by_ref().take(SPECIFICATION_BYTES_MAX).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        match stub(&text).or_else(|| assignments(&text)) {
            Some((name, version)) => {
                found.push(Evidence::new(Ecosystem::Gem, name, version));
                Ok(())
            }
            None => Err(CatalogError::Malformed("no stub line and no name and version".into())),
        }
    }
}

/// `# stub: NAME VERSION PLATFORM PATHS`, before the first line of code.
fn stub(text: &str) -> Option<(&str, &str)> {
    for line in text.lines().take_while(|line| line.is_empty() || line.starts_with('#')) {
        if let Some(rest) = line.strip_prefix("# stub: ") {
            let mut words = rest.split(' ');
            let (name, version) = (words.next()?, words.next()?);
            let is_version = version.starts_with(|first: char| first.is_ascii_digit());
            return (!name.is_empty() && is_version).then_some((name, version));
        }
    }
    None
}

/// The values of `s.name` and `s.version`, whatever the block's variable is called.
fn assignments(text: &str) -> Option<(&str, &str)> {
    let (mut name, mut version) = (None, None);
    for line in text.lines() {
        let Some((left, right)) = line.split_once('=') else { continue };
        let Some((_, attribute)) = left.trim().split_once('.') else { continue };
        match attribute {
            "name" if name.is_none() => name = quoted(right),
            "version" if version.is_none() => version = quoted(right),
            _ => {}
        }
        if let (Some(name), Some(version)) = (name, version) {
            return Some((name, version));
        }
    }
    None
}

/// The first string literal of a line: `"x"`, `'x'`, `%q{x}`, also inside `Gem::Version.new(…)`.
/// One that interpolates or escapes is not understood.
fn quoted(code: &str) -> Option<&str> {
    let start = code.find(['"', '\'', '%'])?;
    let mut rest = code[start..].chars();
    let close = match rest.next()? {
        '%' => {
            if matches!(rest.clone().next(), Some('q' | 'Q')) {
                rest.next();
            }
            match rest.next()? {
                '{' => '}',
                '(' => ')',
                '[' => ']',
                '<' => '>',
                other if other.is_ascii_punctuation() => other,
                _ => return None,
            }
        }
        quote => quote,
    };
    let (value, _) = rest.as_str().split_once(close)?;
    let is_plain = !value.is_empty() && !value.contains(['\\', '#', ' ']);
    is_plain.then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::tests::{catalog, packages};

    fn check(text: &str, expected: (&str, &str)) {
        let found = catalog(&Gem, "specifications/x.gemspec", text.as_bytes());
        assert_eq!(packages(&found), [expected], "{text}");
    }

    #[test]
    fn the_stub_line_names_the_gem_without_its_platform() {
        check("# -*- encoding: utf-8 -*-\n# stub: psych 3.1.0 ruby lib\n", ("psych", "3.1.0"));
        check(
            "# -*- encoding: utf-8 -*-\n# stub: nokogiri 1.11.1 x86_64-linux lib\n# stub: e.rb\n",
            ("nokogiri", "1.11.1"),
        );
        check("# stub: rails 7.0.0.rc1 ruby lib\n", ("rails", "7.0.0.rc1"));
    }

    #[test]
    fn files_without_a_stub_are_read_by_their_assignments() {
        let wrap = |lines: &str| format!("Gem::Specification.new do |s|\n{lines}\nend\n");
        check(&wrap("  s.name = \"a\".freeze\n  s.version = \"1.2.3\""), ("a", "1.2.3"));
        check(&wrap("  s.name = %q{b}\n  s.version = '2'"), ("b", "2"));
        check(
            &wrap("  s.name=%q<c>\n  s.version = Gem::Version.new(\"1.0.pre\")"),
            ("c", "1.0.pre"),
        );
        check("spec.name = 'd'\nspec.version = '1'\nspec.version = '2'", ("d", "1"));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for text in [
            "",
            "# stub: a",
            "# stub: a lib",
            "s.name = NAME\ns.version = VERSION",
            "s.name = \"a#{b}\"\ns.version = \"1\"",
            "\u{0}\u{0}",
        ] {
            let found = catalog(&Gem, "specifications/x.gemspec", text.as_bytes());
            assert!(found.packages.is_empty(), "{text}");
            assert_eq!(found.problems.len(), 1, "{text}");
        }
    }

    #[test]
    fn only_installed_specifications_are_wanted() {
        for (path, expected) in [
            ("usr/lib/ruby/gems/2.7.0/specifications/default/psych-3.1.0.gemspec", true),
            ("usr/share/rubygems-integration/all/specifications/rake-13.0.3.gemspec", true),
            ("usr/local/bundle/specifications/rack-2.0.gemspec", true),
            ("usr/local/bundle/gems/rack-2.0/rack.gemspec", false),
            ("usr/local/bundle/specifications/cache/rack-2.0.gemspec", false),
            ("app/Gemfile.lock", false),
        ] {
            assert_eq!(Gem.wants(&FileInfo { path, size: 1, mode: 0o644 }), expected, "{path}");
        }
    }
}
