-- The advisory side. Times are microseconds since 1970 UTC; dates are the decimal digits YYYYMMDD.
-- A `cve` is a CVE id as a number, CVE-2021-44228 = 202100044228 (see encoding.rs).

CREATE TABLE source (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

-- What is updated and committed as one. Generation 0 has never been loaded.
CREATE TABLE part (
  id INTEGER PRIMARY KEY,
  source INTEGER NOT NULL REFERENCES source (id),
  name TEXT NOT NULL,
  generation INTEGER NOT NULL DEFAULT 0,
  fingerprint TEXT,
  parser_version INTEGER NOT NULL DEFAULT 0,
  entries INTEGER NOT NULL DEFAULT 0,
  quarantined INTEGER NOT NULL DEFAULT 0,
  is_absent INTEGER NOT NULL DEFAULT 0,
  is_partial INTEGER NOT NULL DEFAULT 0,
  as_of INTEGER,
  last_attempt_at INTEGER,
  last_success_at INTEGER,
  last_error TEXT,
  UNIQUE (source, name)
) STRICT;

-- The first remarks of a part's present generation.
CREATE TABLE note (
  part INTEGER NOT NULL REFERENCES part (id),
  ordinal INTEGER NOT NULL,
  is_quarantine INTEGER NOT NULL,
  subject TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (part, ordinal)
) STRICT, WITHOUT ROWID;

-- Texts that many rows share: remarks, module streams, architectures, CVSS vectors, addresses.
CREATE TABLE term (
  id INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE
) STRICT;

-- Where a package name means something: an ecosystem, or one release of a distribution. A language
-- ecosystem has the empty release.
CREATE TABLE scope (
  id INTEGER PRIMARY KEY,
  ecosystem TEXT NOT NULL,
  "release" TEXT NOT NULL,
  UNIQUE (ecosystem, "release")
) STRICT;

-- Which scopes a part speaks of; declared = it says so itself, whatever it holds.
CREATE TABLE coverage (
  part INTEGER NOT NULL REFERENCES part (id),
  scope INTEGER NOT NULL REFERENCES scope (id),
  row_count INTEGER NOT NULL,
  is_declared INTEGER NOT NULL,
  PRIMARY KEY (part, scope)
) STRICT, WITHOUT ROWID;

-- What matching needs of an advisory. state: 0 live, 1 withdrawn by its publisher, 2 gone from the
-- feed. packages: which rows of `affected` are its, `package:scope,scope` joined by spaces. url_term
-- is the term of an address with U+0001 in place of the advisory's name. severity_worst: the worst
-- of its packages'.
CREATE TABLE advisory (
  id INTEGER PRIMARY KEY,
  part INTEGER NOT NULL REFERENCES part (id),
  name TEXT NOT NULL,
  state INTEGER NOT NULL,
  match_hash INTEGER NOT NULL,
  text_hash INTEGER NOT NULL,
  withdrawn_at INTEGER,
  severity INTEGER,
  severity_worst INTEGER,
  vulnerabilities TEXT,
  aliases TEXT,
  cvss TEXT,
  informational INTEGER REFERENCES term (id),
  url_term INTEGER REFERENCES term (id),
  url TEXT,
  packages TEXT
) STRICT;
CREATE UNIQUE INDEX advisory_name ON advisory (part, name);

-- What only people read of an advisory.
CREATE TABLE advisory_text (
  advisory INTEGER PRIMARY KEY REFERENCES advisory (id),
  summary TEXT,
  published_at INTEGER,
  modified_at INTEGER
) STRICT;

-- The reverse index; only live advisories have rows here. One look-up is one range of the key.
CREATE TABLE affected (
  scope INTEGER NOT NULL REFERENCES scope (id),
  package TEXT NOT NULL,
  advisory INTEGER NOT NULL REFERENCES advisory (id),
  ordinal INTEGER NOT NULL,
  name_kind INTEGER NOT NULL,
  status INTEGER NOT NULL,
  severity INTEGER,
  remark INTEGER REFERENCES term (id),
  module INTEGER REFERENCES term (id),
  arches INTEGER REFERENCES term (id),
  platforms INTEGER REFERENCES term (id),
  ranges TEXT,
  versions BLOB,
  PRIMARY KEY (scope, package, advisory, ordinal)
) STRICT, WITHOUT ROWID;

-- Which live advisories are about a CVE.
CREATE TABLE vulnerability (
  cve INTEGER NOT NULL,
  advisory INTEGER NOT NULL REFERENCES advisory (id),
  PRIMARY KEY (cve, advisory)
) STRICT, WITHOUT ROWID;

CREATE TABLE epss (
  cve INTEGER NOT NULL,
  part INTEGER NOT NULL REFERENCES part (id),
  score REAL NOT NULL,
  percentile REAL NOT NULL,
  date INTEGER NOT NULL,
  PRIMARY KEY (cve, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE kev (
  cve INTEGER NOT NULL,
  part INTEGER NOT NULL REFERENCES part (id),
  added INTEGER NOT NULL,
  due INTEGER,
  is_ransomware INTEGER NOT NULL,
  PRIMARY KEY (cve, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE nvd (
  cve INTEGER NOT NULL,
  part INTEGER NOT NULL REFERENCES part (id),
  is_rejected INTEGER NOT NULL,
  cvss TEXT,
  PRIMARY KEY (cve, part)
) STRICT, WITHOUT ROWID;

-- What differs between two generations. Without scope and package: all packages of the advisory;
-- without cve: all its vulnerabilities.
CREATE TABLE change (
  id INTEGER PRIMARY KEY,
  part INTEGER NOT NULL REFERENCES part (id),
  generation INTEGER NOT NULL,
  at INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  advisory INTEGER REFERENCES advisory (id),
  cve INTEGER,
  scope INTEGER REFERENCES scope (id),
  package TEXT,
  old TEXT,
  new TEXT
) STRICT;
CREATE INDEX change_generation ON change (part, generation);
