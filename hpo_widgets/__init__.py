"""Watch and steer hyperparameter searches in Jupyter."""
