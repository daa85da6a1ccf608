DROP TABLE drift_events, monitors, kpi_windows, deployments, dead_letters, scores, feedback, executions, batches, tasks,
  streams, task_types, api_keys, projects;
