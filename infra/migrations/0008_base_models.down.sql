DROP TABLE base_model_activations, base_models;
