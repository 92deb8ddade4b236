"""What training and scoring share: the dataset's schema, the encoder and the model bundle. No Spark, no web server."""
