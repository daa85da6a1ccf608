-- What is made of the stream: versions, models, data sets and the runs that made them. `entry` orders rows by arrival.

CREATE TABLE agent_versions (
  project  text COLLATE "C" NOT NULL,
  id       text COLLATE "C" NOT NULL,
  agent    text COLLATE "C" NOT NULL,
  document text NOT NULL,
  entry    bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  PRIMARY KEY (project, id)
);

CREATE INDEX agent_versions_of ON agent_versions (project, agent, entry);

CREATE TABLE models (
  project   text COLLATE "C" NOT NULL,
  id        text COLLATE "C" NOT NULL,
  task_type text COLLATE "C" NOT NULL,
  dataset   text COLLATE "C" NOT NULL,
  document  text NOT NULL,
  entry     bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  PRIMARY KEY (project, id)
);

CREATE TABLE datasets (
  project   text COLLATE "C" NOT NULL,
  id        text COLLATE "C" NOT NULL,
  task_type text COLLATE "C" NOT NULL,
  version   integer NOT NULL,
  document  text NOT NULL,
  PRIMARY KEY (project, id),
  UNIQUE (project, task_type, version)
);

CREATE TABLE experiments (
  project    text COLLATE "C" NOT NULL,
  id         text COLLATE "C" NOT NULL,
  task_type  text COLLATE "C" NOT NULL,
  status     text NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'cancelled')),
  document   text NOT NULL,
  entry      bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  updated_at timestamptz(3) NOT NULL DEFAULT now(),
  PRIMARY KEY (project, id)
);

CREATE TABLE candidates (
  project     text COLLATE "C" NOT NULL,
  experiment  text COLLATE "C" NOT NULL,
  id          text COLLATE "C" NOT NULL,
  generation  integer NOT NULL,
  index       integer NOT NULL,
  parents     text NOT NULL,
  operator    text NOT NULL,
  genome_hash text COLLATE "C" NOT NULL,
  quality     double precision NOT NULL,
  cost        double precision NOT NULL,
  document    text NOT NULL,
  PRIMARY KEY (project, experiment, id)
);

CREATE INDEX candidates_in_order ON candidates (project, experiment, generation, index);

CREATE TABLE evaluations (
  project   text COLLATE "C" NOT NULL,
  data_hash text COLLATE "C" NOT NULL,
  subject   text COLLATE "C" NOT NULL,
  document  text NOT NULL,
  PRIMARY KEY (project, data_hash, subject)
);

CREATE TABLE snapshots (
  project  text COLLATE "C" NOT NULL,
  name     text COLLATE "C" NOT NULL,
  step     bigint NOT NULL,
  artifact text NOT NULL,
  PRIMARY KEY (project, name, step)
);

CREATE TABLE rollouts (
  project    text COLLATE "C" NOT NULL,
  id         text COLLATE "C" NOT NULL,
  task_type  text COLLATE "C" NOT NULL,
  champion   text COLLATE "C" NOT NULL,
  challenger text COLLATE "C" NOT NULL,
  state      text NOT NULL,
  document   text NOT NULL,
  revision   integer NOT NULL DEFAULT 0,
  entry      bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  decided_at timestamptz(3),
  PRIMARY KEY (project, id)
);

CREATE TABLE cycles (
  project    text COLLATE "C" NOT NULL,
  id         text COLLATE "C" NOT NULL,
  task_type  text COLLATE "C" NOT NULL,
  status     text NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'cancelled')),
  log        text NOT NULL,
  document   text NOT NULL,
  report     text,
  entry      bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  updated_at timestamptz(3) NOT NULL DEFAULT now(),
  PRIMARY KEY (project, id)
);

CREATE TABLE ledger (
  project      text COLLATE "C" NOT NULL,
  lease_id     text COLLATE "C" NOT NULL,
  device_class text COLLATE "C" NOT NULL,
  holder       text NOT NULL,
  purpose      text NOT NULL,
  seconds      double precision NOT NULL,
  cost         double precision NOT NULL,
  entry        bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  at           timestamptz(3) NOT NULL DEFAULT now(),
  PRIMARY KEY (project, lease_id)
);
