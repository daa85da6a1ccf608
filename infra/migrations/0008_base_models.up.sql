-- Base models that were downloaded and checked: a version is the hash of its weights, and one of a name is active.
CREATE TABLE base_models (
  project  text COLLATE "C" NOT NULL,
  name     text COLLATE "C" NOT NULL,
  version  text COLLATE "C" NOT NULL,
  state    text NOT NULL CHECK (state IN ('available', 'active', 'retired')),
  document text NOT NULL,
  entry    bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  PRIMARY KEY (project, name, version)
);

CREATE UNIQUE INDEX base_models_active ON base_models (project, name) WHERE state = 'active';

-- Which version was active when. A rollback undoes the latest one that still holds.
CREATE TABLE base_model_activations (
  project text COLLATE "C" NOT NULL,
  name    text COLLATE "C" NOT NULL,
  epoch   integer NOT NULL,
  version text COLLATE "C" NOT NULL,
  undone  boolean NOT NULL DEFAULT false,
  at      timestamptz(3) NOT NULL DEFAULT now(),
  PRIMARY KEY (project, name, epoch)
);
