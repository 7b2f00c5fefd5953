-- A store as schema version 1 wrote it (src/store/schema.cpp). Never changed: files like it are out there.
-- Sealed with the key 8Vvfw/azNE4eBK60NCEYe2ypJea6xjnUIbDRdK0TGOg=
-- alice's password: correct horse battery staple; the secret main: south-of-the-river-32-bytes-long-secret
PRAGMA journal_mode = WAL;
PRAGMA application_id = 1414548307;
PRAGMA user_version = 1;
BEGIN;
CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    signing BLOB NOT NULL,  -- sealed
    created INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
  ) STRICT;
INSERT INTO "audit" VALUES(1,1795910529,'uid 0 (root)','user.add','alice','realm turn.example.test');
INSERT INTO "audit" VALUES(2,1795910530,'uid 0 (root)','secret.add','main','');
INSERT INTO "audit" VALUES(3,1795910530,'uid 0 (root)','credential.revoke','mallory','test');
CREATE TABLE key_check (
    sealed BLOB NOT NULL
  ) STRICT;
INSERT INTO "key_check" VALUES(X'65F1941F8228C042CFEDB3870460546058894F7D4ADA2F757FD85C72742082D9E3F8F18B');
CREATE TABLE revocations (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER,
    reason TEXT NOT NULL,
    PRIMARY KEY (kind, name)
  ) STRICT, WITHOUT ROWID;
INSERT INTO "revocations" VALUES('account','mallory',1795910530,NULL,'test');
CREATE TABLE secrets (
    id TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL,  -- sealed
    not_before INTEGER NOT NULL,
    not_after INTEGER,
    created INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
INSERT INTO "secrets" VALUES('main',X'C8AB38880562D4E60E14EF5E2A949223C157138FA6AEB81450EFB87029DF9D10C9FBCCB923320D8A2DB46F4C3C3CC2E173816C0F7934CBDB19A62E951D8C0D2D995763',1795910530,NULL,1795910530);
CREATE TABLE users (
    name TEXT NOT NULL PRIMARY KEY,
    realm TEXT NOT NULL,
    userhash BLOB NOT NULL,
    md5_key BLOB,     -- sealed
    sha256_key BLOB,  -- sealed
    max_allocations INTEGER,
    bandwidth INTEGER,
    disabled INTEGER NOT NULL,
    created INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
INSERT INTO "users" VALUES('alice','turn.example.test',X'56CB1F065AF2264F3E5EFBF9D50D10339F091F441F9EE1E3B68A6711FC6F7156',X'A50E4FFDEB06C028EDBBB1317859B9131D6A5F2BDBA52D4061F9161780DD6FF0D8BAA244CA67C77CE064630F',X'3AD2A3E824E8E4C1114EF4AE6086F1A195158B851088ACBD7AA3E7D153790F4BBEBC633100F49A48C363134BCC4645F8BA1B3113D468634E072F40A3',4,NULL,0,1795910529);
CREATE INDEX users_by_hash ON users (userhash);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('audit',3);
COMMIT;
