//! The byte pipe with Linux's page-slot rule.
