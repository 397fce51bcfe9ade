-- What processes that share a database agree by. Times are microseconds since 1970 UTC by the
-- database's clock.

-- Who may do a piece of work, and until when. The token grows with every new holder.
CREATE TABLE lease (
  name TEXT PRIMARY KEY,
  owner TEXT NOT NULL,
  token INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;

-- Small facts that outlive a process.
CREATE TABLE flag (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

-- The last number given to rows of a table by whoever writes them.
CREATE TABLE counter (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT;
INSERT INTO counter (name, value) SELECT 'advisory', coalesce(max(id), 0) FROM advisory;
INSERT INTO counter (name, value) SELECT 'term', coalesce(max(id), 0) FROM term;
