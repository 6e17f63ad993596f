# Sourced by the scripts beside it: says which Debian packages are missing, and installs none.
need() {
    missing=
    while [ $# -gt 1 ]; do
        if ! command -v "$1" >/dev/null 2>&1; then
            case " $missing " in *" $2 "*) ;; *) missing="$missing $2" ;; esac
        fi
        shift 2
    done
    if [ -n "$missing" ]; then
        echo "prompts: missing programs; on Debian: apt-get install$missing" >&2
        exit 1
    fi
}

# One line of figures of a sound file that sox reads: length in seconds, peak, RMS level in dB full scale.
figures() {
    sox "$1" -n stats 2>&1 | awk '/^Pk lev dB/ { peak = $4 } /^RMS lev dB/ { rms = $4 } /^Length s/ { length_s = $3 }
        END { print length_s, peak, rms }'
}
