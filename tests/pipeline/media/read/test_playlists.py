"""Only the demuxers of footage open: a playlist under a video's name reads nobody's neighbours."""

import pytest

from pipeline.errors import MediaError
from pipeline.media.read.inspection import inspect_video

PLAYLISTS = {
    "concat": "ffconcat version 1.0\nfile {neighbour}\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\n{neighbour}\n#EXT-X-ENDLIST\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"/>',
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_named_like_a_video_is_refused(talk, tmp_path, kind):
    neighbour = tmp_path / "neighbour.mp4"
    neighbour.write_bytes(talk.path.read_bytes())
    path = tmp_path / "x.mp4"
    path.write_text(PLAYLISTS[kind].format(neighbour=neighbour.name))
    with pytest.raises(MediaError, match="cannot be opened as a video"):
        inspect_video(str(path))
