"""The local world alone: stand-ins for S3, IAM and Redshift, the sample, the driver. No DAG imports it."""
