"""The vendor APIs, spoken by httpx: no SDK, because an SDK that retries inside an activity retries behind Temporal's back."""
