# Small, cheap and easy to destroy.
environment = "dev"

batch_image_tag = "v1"

enable_deletion_protection = false
force_destroy_buckets      = false
secret_recovery_days       = 0

monthly_budget_usd = 60

# SnapStart bills the memory of a published version all month, even while asleep; the function needs an eighth of this.
api_memory_mib = 512
