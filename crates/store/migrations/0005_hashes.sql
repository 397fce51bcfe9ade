-- The hashes of advisories stand on the roll alone.
ALTER TABLE advisory DROP COLUMN match_hash;
ALTER TABLE advisory DROP COLUMN text_hash;
