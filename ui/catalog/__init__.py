"""The Streamlit catalog; it knows the platform through the API client alone."""
