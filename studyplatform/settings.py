"""One settings file; every choice comes from the environment (see deploy/env.example).

Without any environment the embedded default is set up: SQLite, files under var/, a file-based
broker, keys generated once into var/keys.json. That is what `make demo` runs.
"""

import json
import os
from pathlib import Path

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(os.environ.get("ENV_FILE", str(BASE_DIR / ".env")))

VAR_DIR = Path(env("VAR_DIR", default=str(BASE_DIR / "var")))
PRODUCTION = env.bool("PRODUCTION", default=False)
DEBUG = env.bool("DEBUG", default=False)

_unusable = f"VAR_DIR is {VAR_DIR}; expected a folder that can be written to"
try:
    VAR_DIR.mkdir(parents=True, exist_ok=True)
except OSError as _error:
    raise ImproperlyConfigured(f"{_unusable}: {_error.strerror}.") from _error
# In production keys, database and files may all be elsewhere.
if not PRODUCTION and not os.access(VAR_DIR, os.W_OK | os.X_OK):
    raise ImproperlyConfigured(f"{_unusable}: Permission denied.")


def _local_keys() -> dict[str, str]:
    """Return the embedded default's keys, made on first use and readable by their owner only."""
    path = VAR_DIR / "keys.json"
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        pass
    keys = {"SECRET_KEY": get_random_secret_key(), "VAULT_KEY": get_random_secret_key()}
    draft = path.with_name(f"keys.{os.getpid()}.tmp")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(keys))
    try:
        # A link fails where the file exists: of two processes starting at once, one set wins.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return json.loads(path.read_text())


if PRODUCTION:
    # In production a missing key stops the start: a generated one would lose the vault later.
    SECRET_KEY = env("SECRET_KEY")
    VAULT_KEY = env("VAULT_KEY")
else:
    SECRET_KEY = env("SECRET_KEY", default="") or _local_keys()["SECRET_KEY"]
    VAULT_KEY = env("VAULT_KEY", default="") or _local_keys()["VAULT_KEY"]

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "studyplatform.studies",
    "studyplatform.stimuli",
    "studyplatform.identities",
    "studyplatform.participation",
    "studyplatform.results",
    "studyplatform.console",
    "studyplatform.operations",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "studyplatform.middleware.PlainRequests",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "studyplatform.middleware.PageLanguage",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "studyplatform.console.accounts.RequireSecondStep",
]

ROOT_URLCONF = "studyplatform.urls"
WSGI_APPLICATION = "studyplatform.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # DEFERRED loses most concurrent writers to "database is locked"; IMMEDIATE queues them.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 60
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Throttles must be shared by all processes: Redis where there is one, else the database.
REDIS_URL = env("REDIS_URL", default="")
if REDIS_URL:
    CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    }
else:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "cache_entries",
        }
    }

# --- Celery: pokes only, so that a lost message costs nothing (the ledger is in the database).
BROKER_DIR = VAR_DIR / "broker"
CELERY_BROKER_URL = env("CELERY_BROKER_URL", default=REDIS_URL or "filesystem://localhost")
if CELERY_BROKER_URL.startswith("filesystem"):
    for _folder in ("queue", "processed", "control"):
        (BROKER_DIR / _folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        # One folder both ways: workers read what the web process wrote.
        "data_folder_in": str(BROKER_DIR / "queue"),
        "data_folder_out": str(BROKER_DIR / "queue"),
        "processed_folder": str(BROKER_DIR / "processed"),
        "control_folder": str(BROKER_DIR / "control"),
        "store_processed": False,
        "polling_interval": 0.1,
    }
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE = {
    "sweep-heatmap-ledger": {"task": "studyplatform.stimuli.tasks.sweep", "schedule": 20.0},
    "sweep-jobs": {"task": "studyplatform.stimuli.tasks.sweep_jobs", "schedule": 20.0},
    "sweep-reports": {"task": "studyplatform.results.tasks.sweep_reports", "schedule": 20.0},
}

# --- Files
MEDIA_ROOT = Path(env("MEDIA_ROOT", default=str(VAR_DIR / "media")))
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)  # whitenoise warns of a folder that is missing
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if not DEBUG and not env.bool("PLAIN_STATIC", default=False)
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
# Photographs and networks, sent by those who may change something: bytes, at these addresses only.
UPLOAD_MAX_SIZE = env.int("UPLOAD_MAX_SIZE", default=4_000_000_000)
UPLOAD_ADDRESS = r"/console/teams/\d+/(images/import|classifiers/train|classifiers/register)/"
# Beside where they are kept: a large file is moved and not copied, nor held in a small /tmp.
FILE_UPLOAD_TEMP_DIR = Path(env("UPLOAD_TEMP_DIR", default=str(VAR_DIR / "arriving")))
FILE_UPLOAD_TEMP_DIR.mkdir(parents=True, exist_ok=True)
# A folder on the server whose subfolders the console offers for import; none by default.
IMPORT_ROOT = env("IMPORT_ROOT", default="")

# --- Faithfulness of heatmaps: steps of its insertion and deletion curves, each with one prediction
# more than steps; the values depend on it, so after a change heatmaps are measured anew
FAITHFULNESS_STEPS = env.int("FAITHFULNESS_STEPS", default=32)

# --- Participants: arrivals per network address and minute (a classroom shares one address)
ENTRIES_PER_MINUTE = env.int("ENTRIES_PER_MINUTE", default=120)

# --- Sign-in of researchers and coders (participants have a cookie of their own)
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
ACCOUNT_ADAPTER = "studyplatform.console.accounts.ClosedSignUpAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = False
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/console/"
ACCOUNT_LOGOUT_REDIRECT_URL = "/accounts/login/"
# allauth's brakes count attempts per network address: in production the proxy in front names it.
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if PRODUCTION else 0
# The second step of signing in: a code from an app (TOTP), or one of the printed recovery codes.
MFA_ADAPTER = "studyplatform.console.accounts.SecondStepAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Explanation studies"
REQUIRE_TOTP = env.bool("REQUIRE_TOTP", default=False)

# --- Language and time
LANGUAGE_CODE = "en"
# Those that locale/ holds participants' pages in; a study may be in others (spec.language).
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
LOCALE_PATHS = [BASE_DIR / "locale"]

# --- Security
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
if PRODUCTION:
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", default="INFO")},
}
