"""What sertag reads of damaged recordings, compared with what ffmpeg plays of them."""
