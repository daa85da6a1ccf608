DROP TABLE ledger, cycles, rollouts, snapshots, evaluations, candidates, experiments, datasets, models, agent_versions;
