-- The image side: what was found in images, what it suffers from, and what there is to tell.

-- Whoever writes images, packages and sets locks the first of these rows, so that they take turns.
INSERT INTO counter (name, value) VALUES ('image', 0);
INSERT INTO counter (name, value) VALUES ('package', 0);
INSERT INTO counter (name, value) VALUES ('package_set', 0);

-- A package of any image, once for all that verdicts depend on. identity: the first 128 bits of a
-- SHA-256 over it, in hexadecimal digits. lookup_name: as feeds write the name. is_owned: its files
-- belong to a distro package, so it is not matched.
CREATE TABLE package (
  id INTEGER PRIMARY KEY,
  identity TEXT NOT NULL UNIQUE,
  scope INTEGER NOT NULL REFERENCES scope (id),
  name TEXT NOT NULL,
  lookup_name TEXT NOT NULL,
  version TEXT NOT NULL,
  arch TEXT,
  source_name TEXT,
  source_version TEXT,
  module TEXT,
  built_for TEXT,
  is_owned INTEGER NOT NULL
) STRICT;
CREATE INDEX package_lookup_name ON package (scope, lookup_name);
CREATE INDEX package_source_name ON package (scope, source_name) WHERE source_name IS NOT NULL;

-- Packages that the matcher has not looked at yet.
CREATE TABLE pending (
  package INTEGER PRIMARY KEY REFERENCES package (id)
) STRICT;

-- The packages of one image or of many. digest: over their identities. packages: their numbers in
-- ascending order, each as its distance from the one before.
CREATE TABLE package_set (
  id INTEGER PRIMARY KEY,
  digest TEXT NOT NULL UNIQUE,
  image_count INTEGER NOT NULL,
  packages BLOB NOT NULL
) STRICT;

CREATE INDEX package_set_unused ON package_set (id) WHERE image_count = 0;

-- Which sets hold a package.
CREATE TABLE package_in_set (
  package INTEGER NOT NULL REFERENCES package (id),
  package_set INTEGER NOT NULL REFERENCES package_set (id),
  PRIMARY KEY (package, package_set)
) STRICT, WITHOUT ROWID;

-- Packages that no set held when their last set went; they go soon, unless a new set holds them.
CREATE TABLE unused_package (
  package INTEGER PRIMARY KEY REFERENCES package (id)
) STRICT;

-- digest: 64 hexadecimal digits, without the algorithm. package_set: none when it was not seen for
-- so long that its packages went. problems: the first things that could not be read.
CREATE TABLE image (
  id INTEGER PRIMARY KEY,
  digest TEXT NOT NULL UNIQUE,
  reference TEXT NOT NULL,
  platform TEXT,
  "release" TEXT,
  distro TEXT,
  package_set INTEGER REFERENCES package_set (id),
  package_count INTEGER NOT NULL,
  problem_count INTEGER NOT NULL,
  problems TEXT,
  registered_at INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  report_hash INTEGER NOT NULL
) STRICT;
CREATE INDEX image_package_set ON image (package_set, id);
CREATE INDEX image_last_seen ON image (last_seen_at);
CREATE INDEX image_problem ON image (id) WHERE problem_count > 0;

-- The whole report, compressed.
CREATE TABLE image_report (
  image INTEGER PRIMARY KEY REFERENCES image (id),
  report BLOB NOT NULL
) STRICT;

-- Other names: references, and digests of the image's configuration and index.
CREATE TABLE image_alias (
  name TEXT NOT NULL,
  image INTEGER NOT NULL REFERENCES image (id),
  seen_at INTEGER NOT NULL,
  PRIMARY KEY (name, image)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_alias_image ON image_alias (image);

-- What a package suffers from; joined to images when read. advisory: none when it is named like
-- the vulnerability. notified: the generation of the part that was last told of.
CREATE TABLE finding (
  package INTEGER NOT NULL REFERENCES package (id),
  vulnerability TEXT NOT NULL,
  part INTEGER NOT NULL REFERENCES part (id),
  advisory TEXT,
  status INTEGER NOT NULL,
  severity INTEGER,
  fixed TEXT,
  suppression INTEGER,
  unparsable TEXT,
  notified INTEGER,
  PRIMARY KEY (package, vulnerability)
) STRICT, WITHOUT ROWID;
CREATE INDEX finding_vulnerability ON finding (vulnerability);

-- How far the matcher has read the changes of a part. position: how much of the generation after
-- it, in the matcher's own count.
CREATE TABLE match_cursor (
  part INTEGER PRIMARY KEY REFERENCES part (id),
  generation INTEGER NOT NULL,
  position INTEGER NOT NULL
) STRICT;

-- The outbox. id: a ULID. delivered_at: the first delivery. voided_by: the later notification that
-- took it back before that.
CREATE TABLE notification (
  id TEXT PRIMARY KEY,
  created_at INTEGER NOT NULL,
  vulnerability TEXT NOT NULL,
  scope INTEGER NOT NULL REFERENCES scope (id),
  package TEXT NOT NULL,
  reason INTEGER NOT NULL,
  old TEXT,
  new TEXT,
  image_count INTEGER NOT NULL,
  payload TEXT NOT NULL,
  delivered_at INTEGER,
  voided_by TEXT
) STRICT;
CREATE INDEX notification_vulnerability ON notification (vulnerability, id);
CREATE INDEX notification_created ON notification (created_at);
