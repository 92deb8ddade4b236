"""Saves a LightGBM model in MLflow's format: `save.py MODEL_FILE FOLDER`."""

import sys

import lightgbm
import mlflow.lightgbm

mlflow.lightgbm.save_model(lightgbm.Booster(model_file=sys.argv[1]), sys.argv[2])
