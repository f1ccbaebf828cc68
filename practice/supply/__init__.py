"""What our builds are made of: packages, advisories, artefacts with their bills of material, hosts that install, and what is blocked."""
