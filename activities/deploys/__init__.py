"""Which revision of a service serves: traffic is moved between revisions, on Cloud Run and on Kubernetes."""
