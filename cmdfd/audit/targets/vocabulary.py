"""Words of published sets: names of columns, folders, values and files, all in lower case."""

from __future__ import annotations

# fmt: off
#: Words for unforged clips, as a value of a column or the name of a folder.
REAL_WORDS = frozenset((
    "real", "reals", "original", "originals", "orig", "origin", "genuine", "bonafide", "pristine", "authentic",
    "unmodified", "unaltered", "untampered", "unmanipulated", "human", "live", "legit", "legitimate", "natural",
    "nonfake", "nondeepfake",
))
#: Words for forged ones.
FAKE_WORDS = frozenset((
    "fake", "fakes", "spoof", "spoofed", "synthetic", "synthesis", "synthesized", "synthesised", "deepfake",
    "deepfakes", "manipulated", "forged", "forgery", "generated", "altered", "modified", "tampered", "attack",
    "dfake", "aigc",
))
#: Words that are too common in folder names to mean the class there.
NOT_IN_PATHS = frozenset((
    "human", "live", "natural", "legit", "legitimate", "altered", "modified", "attack", "orig",
))
#: Words that turn the next one round.
NEGATIONS = frozenset((
    "no", "non", "not",
))
#: Words for splits.
SPLIT_WORDS = frozenset((
    "train", "training", "trn", "val", "valid", "validation", "dev", "development", "test", "testing", "tst",
    "eval", "evaluation",
))
#: Folders beside the clips that hold no clips.
SIDE_FOLDERS = frozenset((
    "mask", "masks", "frame_masks", "landmark", "landmarks", "frame_videos", "tracks", "features", "flow",
    "optical_flow", "__macosx",
))
#: Generators by the names that published sets give their folders.
METHODS = frozenset((
    "wav2lip", "wavtolip", "w2l", "faceswap", "fsgan", "faceshifter", "deepfakes", "deepfake", "deepfakedetection",
    "face2face", "f2f", "neuraltextures", "simswap", "sadtalker", "makeittalk", "audio2head", "videoretalking",
    "videoretalk", "talklip", "rtvc", "sv2tts", "hallo", "latentsync", "diff2lip", "musetalk", "dinet", "iplap",
    "liveportrait", "blendface", "uniface", "inswapper", "roop", "fomm", "facevid2vid", "hyperreenact", "mcnet",
    "danet", "pirender", "mobileswap", "facedancer", "ganimation", "hififace", "ghost", "heygen", "synthesia",
))
#: Folder names that are neither class nor generator.
PLAIN_FOLDERS = frozenset((
    "videos", "video", "audio", "audios", "wav", "wavs", "clips", "clip", "data", "raw", "c0", "c23", "c40", "hq",
    "lq", "media", "files", "youtube", "actors", "higher_quality", "lower_quality", "sequences",
))
#: Columns of names, paths and ids of clips.
FILE_NAMES = frozenset((
    "file", "filename", "file_name", "path", "filepath", "file_path", "full_path", "fullpath", "video",
    "video_path", "videopath", "video_name", "videoname", "video_file", "audio", "audio_path", "audiopath",
    "audio_file", "audio_name", "wav", "wav_path", "wavpath", "wave", "img", "image", "image_path", "name",
    "id_name", "id", "uid", "uuid", "utt", "utterance", "utt_id", "utterance_id", "clip", "clip_id", "clip_name",
    "sample", "sample_id", "sample_name", "key", "uri", "url", "link", "video_id", "audio_id", "youtube_id",
    "you_tube_id", "ytid", "yt_id", "relative_path", "rel_path", "abspath", "dir", "directory", "folder",
    "basename", "stem", "sha256", "md5", "hash", "track_id", "media", "media_path", "video_url", "audio_url",
))
#: Columns of labels, the likelier ones first.
LABEL_NAMES = (
    "entire_label", "label", "labels", "is_fake", "fake", "ground_truth", "groundtruth", "gt", "target", "class",
    "class_label", "binary_label", "class_name", "y", "y_true", "is_deepfake", "deepfake", "is_spoof", "spoof",
    "bonafide", "bona_fide", "is_bonafide", "is_real", "real", "authenticity", "is_manipulated", "manipulated",
    "veracity", "key",
)
#: Words in names of columns that tell the class or define the forging.
SAYING_TOKENS = frozenset((
    "label", "labels", "fake", "fakes", "real", "spoof", "bonafide", "deepfake", "deepfakes", "forged", "forgery",
    "manipulated", "manipulation", "authentic", "genuine", "truth", "attack", "method", "generator", "algorithm",
    "technique", "vocoder", "tts", "vc", "gan", "mask", "masks", "segment", "segments", "periods", "modify",
    "modification", "modality", "swap", "swapped", "donor", "driver", "driving", "synthesizer", "synthesiser",
    "pred", "prediction", "score",
))
#: Whole names of such columns.
SAYING_NAMES = frozenset((
    "category", "type", "model", "model_name", "audio_model", "video_model", "tts_model", "system", "system_id",
    "tool", "class", "target", "y", "gt", "key", "n_fakes", "augmentations", "augmentation", "subtype",
    "architecture",
))
#: Columns that say how a fake was made, the likelier ones first.
GENERATOR_NAMES = (
    "generator", "method", "fake_method", "manipulation_method", "forgery_method", "generation_method",
    "manipulation", "attack_type", "attack_id", "attack", "system_id", "system", "algorithm", "technique",
    "model_name", "model", "audio_model", "video_model", "tool", "vocoder", "forgery_type", "manipulation_type",
    "fake_type", "tts_model", "tts", "architecture",
)
#: Columns of splits.
SPLIT_NAMES = frozenset((
    "split", "set", "subset", "partition", "fold", "phase", "data_split", "dataset_split", "split_name",
))
#: Columns that name the recording that a fake was made from.
ORIGINAL_NAMES = frozenset((
    "original", "orig", "original_video", "original_file", "original_path", "source_video", "source_file",
    "source_path", "source_clip", "parent", "real_video", "real_path", "reference", "pristine_video", "base_video",
))
#: Columns of people: the one shown before the one who lends.
IDENTITY_NAMES = (
    "face_id", "target_id", "target_identity", "identity", "person", "person_id", "subject", "subject_id",
    "speaker", "speaker_id", "spk", "spk_id", "actor", "actor_id", "celebrity", "voice_id", "source_id", "source",
    "source_identity", "swapped_id", "user", "user_id", "client_id", "target1", "target2", "driver_id", "donor_id",
    "speaker1", "speaker2",
)
#: Columns of components.
GROUP_NAMES = frozenset((
    "component", "group", "group_id", "cluster", "cluster_id",
))
#: Columns of what is said.
TEXT_NAMES = frozenset((
    "text", "transcript", "transcription", "sentence", "caption", "utterance_text", "words", "prompt", "asr",
    "subtitle",
))
#: Columns of languages.
LANGUAGE_NAMES = frozenset((
    "language", "lang", "locale", "languages",
))
#: Declared demographic columns, by the cue that they become.
DEMOGRAPHICS = {
    "gender": "gender", "sex": "gender", "race": "race", "ethnicity": "ethnicity", "ethnic_group": "ethnicity",
    "age": "age", "age_group": "age", "agegroup": "age", "skin": "skin", "skin_tone": "skin", "skintone": "skin",
    "skin_color": "skin", "skin_colour": "skin", "skin_type": "skin", "fitzpatrick": "skin", "accent": "accent",
    "dialect": "accent", "nationality": "nationality", "country": "nationality", "speaker_gender": "gender",
    "speaker_age": "age", "native_language": "native_language", "region": "region",
}
#: Declared technical columns, by cue; those without a dot are put together by `stated`.
TECHNICAL = {
    "width": "geometry.width", "w": "geometry.width", "frame_width": "geometry.width",
    "video_width": "geometry.width", "height": "geometry.height", "h": "geometry.height",
    "frame_height": "geometry.height", "video_height": "geometry.height", "fps": "fps", "frame_rate": "fps",
    "framerate": "fps", "video_fps": "fps", "frames_per_second": "fps", "n_frames": "frames",
    "num_frames": "frames", "nframes": "frames", "number_of_frames": "frames", "frame_count": "frames",
    "frame_len": "frames", "frame_length": "frames", "frames": "frames", "video_frames": "frames",
    "num_video_frames": "frames", "video_len": "frames", "total_frames": "frames", "n_samples": "samples",
    "num_samples": "samples", "audio_len": "samples", "audio_samples": "samples", "audio_frames": "samples",
    "num_audio_frames": "samples", "nsamples": "samples", "sample_rate": "sample_rate", "samplerate": "sample_rate",
    "sampling_rate": "sample_rate", "sr": "sample_rate", "audio_sam_rate": "sample_rate",
    "audio_sample_rate": "sample_rate", "audio_fps": "sample_rate", "samp_rate": "sample_rate",
    "sample_rate_hz": "sample_rate", "duration": "seconds", "duration_s": "seconds", "duration_sec": "seconds",
    "duration_seconds": "seconds", "seconds": "seconds", "length_s": "seconds", "length_sec": "seconds",
    "video_duration": "video_seconds", "video_duration_s": "video_seconds", "audio_duration": "audio_seconds",
    "audio_duration_s": "audio_seconds", "audio_length_s": "audio_seconds", "file_size": "rate.file_size",
    "filesize": "rate.file_size", "size_bytes": "rate.file_size", "bytes": "rate.file_size",
    "n_bytes": "rate.file_size", "video_codec": "container.video_codec", "vcodec": "container.video_codec",
    "audio_codec": "container.audio_codec", "acodec": "container.audio_codec", "pix_fmt": "container.pix_fmt",
    "pixel_format": "container.pix_fmt",
}
#: Words that make a "model" or "type" one of a device or file, not of a forging.
DEVICES = frozenset((
    "camera", "codec", "container", "device", "file", "media", "mic", "microphone", "mime", "phone",
))
#: Suffixes of videos.
VIDEO_SUFFIXES = frozenset((
    ".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".ts", ".mts",
    ".m2ts", ".ogv", ".mxf", ".vob", ".divx", ".asf",
))
#: Suffixes of sound files.
AUDIO_SUFFIXES = frozenset((
    ".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".opus", ".wma", ".aif", ".aiff", ".mka", ".amr",
))
#: Suffixes of pictures.
IMAGE_SUFFIXES = frozenset((
    ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp",
))
# fmt: on
